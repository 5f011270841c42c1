/* jsonb: nodes, going through them, and making them.
 *
 * A node is a tag and flat bytes (drawn in jsonb.c); a value of type jsonb is the tag as one byte and the node's bytes.
 * Making goes from the inside out: the bytes of a container are those of its nodes, copied. */
#ifndef SYNOD_SQLFRONT_VALUE_JSON_JSONB_H
#define SYNOD_SQLFRONT_VALUE_JSON_JSONB_H

#include "base/text.h"
#include "sqlfront/value/value.h"

/* Levels of a jsonb (54001 beyond): comparing two keeps its place in this many on the fiber's stack, where a frame must
 * be smaller than the page that guards it. */
#define JSONB_DEPTH_MAX 256

/* In the order in which PostgreSQL sorts values of different kinds. */
enum jsonb_tag { JSONB_NULL, JSONB_STRING, JSONB_NUMBER, JSONB_FALSE, JSONB_TRUE, JSONB_ARRAY, JSONB_OBJECT };

struct jsonb_node {
    enum jsonb_tag tag;
    const uint8_t *p;
    uint32_t size;
};

static inline bool jsonb_is_container(struct jsonb_node node)
{
    return node.tag >= JSONB_ARRAY;
}

/* ---- reading ---- */

struct jsonb_node jsonb_root(const struct value *value);
struct bytes jsonb_string(struct jsonb_node node);
struct value jsonb_number(struct jsonb_node node); /* numeric; a view */

/* Elements of an array, members of an object (in the order of their keys: by length, then bytes). */
uint32_t jsonb_count(struct jsonb_node container);
struct jsonb_node jsonb_at(struct jsonb_node container, uint32_t at);
struct bytes jsonb_key_at(struct jsonb_node object, uint32_t at);

/* The member with that key; false when there is none. `at` may be NULL. */
bool jsonb_find(struct jsonb_node object, struct bytes key, struct jsonb_node *found, uint32_t *at);

/* Orders as the type's compare does, without its special case at the root. */
int jsonb_compare_nodes(struct environment *environment, struct jsonb_node a, struct jsonb_node b);

/* Going through a node and all within it, without recursion:
 *
 *     struct jsonb_walk walk;
 *     jsonb_walk_start(&walk, node);
 *     while (jsonb_walk_next(&walk)) ... walk.event ... */
enum jsonb_event { JSONB_SCALAR, JSONB_OPEN, JSONB_CLOSE };

struct jsonb_walk {
    enum jsonb_event event;
    struct jsonb_node node; /* the scalar, or the container opened; of one closed only the tag */
    bool member;            /* of an object: it has a key */
    struct bytes key;
    uint32_t at;    /* its number in its container */
    uint32_t depth; /* containers around it */
    /* the rest is jsonb.c's */
    bool started;
    uint32_t open;
    const uint8_t *start;
    struct {
        uint32_t place; /* of the container, from start; top bit: an object */
        uint32_t at;
    } levels[JSONB_DEPTH_MAX];
};
static_assert(sizeof(struct jsonb_walk) < 3072, "smaller than a guard page");

void jsonb_walk_start(struct jsonb_walk *walk, struct jsonb_node node);
/* False behind the end. */
bool jsonb_walk_next(struct jsonb_walk *walk);
/* Having opened a container: goes on behind it. */
void jsonb_walk_skip(struct jsonb_walk *walk);

/* Appends the node as text, as jsonb's output has it: {"a": [1, 2]}; or with a line for each element. 54000, 53200 when
 * the text ends. */
enum sqlstate jsonb_write(struct environment *environment, struct text *out, struct jsonb_node node,
                          struct error *error);
enum sqlstate jsonb_write_pretty(struct environment *environment, struct text *out, struct jsonb_node node,
                                 struct error *error);

/* A scalar as text; a string with its quotes. */
enum sqlstate jsonb_write_scalar(struct text *out, struct jsonb_node node, struct error *error);

/* The node as the ->> operators give it: a string without quotes, null for null. */
enum sqlstate jsonb_as_text(struct environment *environment, struct scope *scope, struct jsonb_node node,
                            struct value *result, struct error *error);

/* ---- making ---- */

static inline struct jsonb_node jsonb_plain(enum jsonb_tag tag) /* null, true, false */
{
    return (struct jsonb_node){.tag = tag, .p = (const uint8_t *)"", .size = 0};
}
static inline struct jsonb_node jsonb_of_string(struct bytes string) /* not copied */
{
    return (struct jsonb_node){.tag = JSONB_STRING, .p = string.data, .size = (uint32_t)string.size};
}
/* A numeric that is neither NaN nor infinite. */
enum sqlstate jsonb_of_number(struct scope *scope, const struct value *numeric, struct jsonb_node *node,
                              struct error *error);

struct jsonb_member {
    struct bytes key;
    struct jsonb_node node;
    uint32_t order; /* set by jsonb_of_members: of equal keys the last stays */
};
enum sqlstate jsonb_of_nodes(struct scope *scope, const struct jsonb_node *nodes, size_t count,
                             struct jsonb_node *array, struct error *error);
/* Sorts the members and drops those whose key comes again. */
enum sqlstate jsonb_of_members(struct scope *scope, struct jsonb_member *members, size_t count,
                               struct jsonb_node *object, struct error *error);

/* The value of a node. */
enum sqlstate jsonb_value(struct scope *scope, struct jsonb_node node, struct value *value,
                          struct error *error);

/* Parses json text. 22P02, 22P05, 54001. */
enum sqlstate jsonb_parse(struct environment *environment, struct scope *scope, struct bytes text,
                          struct jsonb_node *node, struct error *error);

/* A container under construction, at any depth. Members and elements are added to the innermost one. */
struct jsonb_builder {
    struct environment *environment;
    struct scope *scope;
    struct error *error;
    struct jsonb_member *entries; /* of all open containers, one behind the other */
    uint32_t count, room;
    struct jsonb_level {
        bool object;
        uint32_t start;
        struct bytes key; /* of the container within the one outside */
    } * levels;
    uint32_t depth, levels_room;
    struct bytes key; /* for the next node, in an object */
};

void jsonb_builder_start(struct jsonb_builder *builder, struct environment *environment, struct scope *scope,
                         struct error *error);
/* Nodes and keys are kept as views until their container is closed. Adding a container that was as deep before is free. */
enum sqlstate jsonb_builder_open(struct jsonb_builder *builder, bool object);
void jsonb_builder_key(struct jsonb_builder *builder, struct bytes key);
enum sqlstate jsonb_builder_add(struct jsonb_builder *builder, struct jsonb_node node);
/* The same of a node that comes from elsewhere: containers within it count among the levels. */
enum sqlstate jsonb_builder_add_within(struct jsonb_builder *builder, struct jsonb_node node);
enum sqlstate jsonb_builder_close(struct jsonb_builder *builder);
/* Requires that one value was added outside all containers, or one container closed. */
struct jsonb_node jsonb_builder_end(const struct jsonb_builder *builder);
/* Adds the value that the json text holds. 22P02, 22P05, 54001. */
enum sqlstate jsonb_builder_parse(struct jsonb_builder *builder, struct bytes json);

#endif
