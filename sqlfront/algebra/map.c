/* Copies of trees in which some nodes are replaced.
 *
 * A range that reads a CTE points to it; when the query that has the CTE is copied, so is the CTE, and the pointer must
 * follow. So the mapper keeps a frame for each query it is in, innermost first, with the old and the new. */
#include "sqlfront/algebra/walk.h"

struct frame {
    struct frame *above;
    const struct query *from;
    struct query *to;
};

struct mapper {
    struct walk walk; /* first: the callbacks get it */
    struct scope *scope;
    struct expression *(*replace)(void *argument, const struct expression *node, uint32_t level);
    void *argument;
    bool into_queries;
    uint32_t level;
    struct frame *frame;
};

static struct expression *map_node(struct mapper *mapper, const struct expression *node)
{
    struct expression *replaced = mapper->replace(mapper->argument, node, mapper->level);
    if (replaced)
        return replaced;
    struct expression *copy = expression_copy_node(mapper->scope, node);
    walk_expression(&mapper->walk, copy);
    return copy;
}

static void common_follow(const struct mapper *mapper, struct range *range)
{
    const struct frame *frame = mapper->frame;
    for (uint32_t up = 0; frame && up < range->common_level; up++)
        frame = frame->above;
    for (uint32_t i = 0; frame && i < frame->from->commons; i++)
        if (frame->from->common[i] == range->common) {
            range->common = frame->to->common[i];
            return;
        }
}

static struct query *map_query(struct mapper *mapper, const struct query *query)
{
    struct query *copy = query_copy_node(mapper->scope, query);
    struct frame frame = {.above = mapper->frame, .from = query, .to = copy};
    mapper->frame = &frame;
    for (uint32_t i = 0; i < copy->ranges; i++)
        if (copy->range[i].kind == RANGE_COMMON)
            common_follow(mapper, &copy->range[i]);
    walk_query(&mapper->walk, copy);
    mapper->frame = frame.above;
    return copy;
}

static void map_place(struct walk *walk, struct expression **place)
{
    *place = map_node((struct mapper *)walk, *place);
}

static void map_query_place(struct walk *walk, struct query **place)
{
    struct mapper *mapper = (struct mapper *)walk;
    if (!mapper->into_queries)
        return;
    mapper->level++;
    *place = map_query(mapper, *place);
    mapper->level--;
}

struct expression *expression_map(struct scope *scope, const struct expression *expression,
                                  struct expression *(*replace)(void *argument, const struct expression *node,
                                                                uint32_t level),
                                  void *argument, bool into_queries)
{
    if (!expression)
        return NULL;
    struct mapper mapper = {.walk = {.expression = map_place, .query = map_query_place},
                            .scope = scope,
                            .replace = replace,
                            .argument = argument,
                            .into_queries = into_queries};
    return map_node(&mapper, expression);
}

struct query *query_map(struct scope *scope, const struct query *query,
                        struct expression *(*replace)(void *argument, const struct expression *node,
                                                      uint32_t level),
                        void *argument)
{
    struct mapper mapper = {.walk = {.expression = map_place, .query = map_query_place},
                            .scope = scope,
                            .replace = replace,
                            .argument = argument,
                            .into_queries = true};
    return map_query(&mapper, query);
}
