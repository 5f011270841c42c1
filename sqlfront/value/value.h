/* SQL values in memory, their types, and what every type can do. The one door of sqlfront/value.
 *
 * A *value* is 16 bytes and knows nothing of its type; whoever handles it does (as in a column of a batch, or an
 * expression's result). Numbers and points in time lie in the value itself; others are bytes somewhere else:
 *
 *     kind             types                                                        where
 *     VALUE_INTEGER    boolean (0/1), "char", int2, int4, int8, oid and reg*, xid,  i
 *                      cid, date (days since 2000-01-01), time, timestamp and
 *                      timestamptz (us since 2000-01-01 UTC), enum (the label's oid)
 *     VALUE_FLOAT      float4 (rounded to float), float8                            f
 *     VALUE_NUMERIC    numeric: small = 1: i / 10^scale, shown with `scale` digits  i, scale
 *                      behind the point; else the bytes drawn in number/numeric.h   p, size
 *     VALUE_BYTES      the rest: text and the like as UTF-8 without end mark,       p, size
 *                      bytea, uuid (16), interval (16), timetz (12), json, jsonb,
 *                      arrays, records
 *
 * The bytes at `p` are flat (no pointers in them), so storing or sending them is copying. Infinite dates and times are
 * the largest and smallest integers of their width, as in PostgreSQL. Values are borrowed unless said otherwise. */
#ifndef SYNOD_SQLFRONT_VALUE_VALUE_H
#define SYNOD_SQLFRONT_VALUE_VALUE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/scope.h"
#include "sqlfront/value/few.h"
#include "sqlfront/value/oids.h"
#include "sqlfront/value/states.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct environment;

enum value_kind { VALUE_INTEGER = 1, VALUE_FLOAT, VALUE_NUMERIC, VALUE_BYTES };

struct value {
    union {
        int64_t i;
        double f;
        const uint8_t *p;
    };
    uint32_t size; /* bytes at p */
    int16_t scale; /* of a small numeric: 0 .. NUMERIC_SMALL_SCALE_MAX */
    bool small;    /* a numeric that lies in i */
    bool null;     /* nothing else of it means anything */
};
static_assert(sizeof(struct value) == 16, "four to a cache line");

#define NUMERIC_SMALL_SCALE_MAX 18

/* Largest value: PostgreSQL's limit of a field. Longer ones fail with 54000. */
#define VALUE_BYTES_MAX (1024UL * 1024 * 1024 - 1)

static inline struct value value_null(void)
{
    return (struct value){.null = true};
}
static inline struct value value_integer(int64_t i)
{
    return (struct value){.i = i};
}
static inline struct value value_boolean(bool truth)
{
    return (struct value){.i = truth};
}
static inline struct value value_float(double f)
{
    return (struct value){.f = f};
}
static inline struct value value_small_numeric(int64_t unscaled, int scale)
{
    return (struct value){.i = unscaled, .scale = (int16_t)scale, .small = true};
}
static inline struct value value_bytes(const void *data, size_t size)
{
    return (struct value){.p = data, .size = (uint32_t)size};
}
static inline struct value value_text(const char *text) /* a literal or the scope's: not copied */
{
    return value_bytes(text, strlen(text));
}
static inline struct bytes value_view(const struct value *value)
{
    return bytes_of(value->p, value->size);
}

/* ---- types ---- */

/* How values of a type are ordered, told equal and hashed. */
enum value_order {
    ORDER_NONE,    /* json, record of such, ... : 42883 when asked for */
    ORDER_INTEGER, /* by i */
    ORDER_FLOAT,   /* NaN equals NaN and is largest; -0 equals 0 */
    ORDER_NUMERIC,
    ORDER_BYTES,  /* unsigned bytes, shorter first: text in collation "C" (our default), bytea, uuid, name */
    ORDER_PADDED, /* bpchar: blanks at the end do not count */
    ORDER_INTERVAL, /* as 30-day months of 24-hour days */
    ORDER_TIMETZ,
    ORDER_ARRAY,
    ORDER_RECORD,
    ORDER_JSONB,
    ORDER_ENUM, /* by the label's sort position */
};

/* A type. Built-in ones are static; enums, row types and their arrays come out of the catalog. `category` and
 * `preferred` steer the choice of functions (PostgreSQL manual, 10.). */
struct type {
    uint32_t oid;
    const char *name; /* pg_type.typname */
    int16_t length;   /* typlen: -1 variable, -2 cstring */
    char category;    /* typcategory */
    char type_type;   /* typtype: b, c, d, e, p, r */
    bool preferred;   /* typispreferred */
    uint8_t kind;     /* enum value_kind */
    uint8_t width; /* VALUE_INTEGER, VALUE_FLOAT: bytes stored (1, 2, 4, 8); VALUE_BYTES: fixed size or 0 */
    uint8_t order; /* enum value_order */
    uint32_t element;  /* of an array: its element's oid; else 0 */
    uint32_t array;    /* the array type over this; 0 = none */
    uint32_t relation; /* of a row type: the relation's oid */
    const struct type_ops *ops;
    const struct enum_label *labels; /* of an enum, by sort position */
    uint32_t label_count;
    const struct row_field
        *fields;          /* of a row type: its columns. Binding makes types of oid TYPE_RECORD with fields */
    uint32_t field_count; /* for rows that have names but no type (a subquery's); NULL = unknown */
};

/* A column of a row type. */
struct row_field {
    const char *name;
    uint32_t type; /* oid */
    int32_t modifier;
};

struct enum_label {
    uint32_t oid;
    double position; /* pg_enum.enumsortorder: never changes, so that keys can hold it */
    const char *label;
};

/* Text and binary forms (PostgreSQL manual 8, 55.7; binary as the type's send and receive functions). `modifier` is
 * pg_attribute.atttypmod, -1 for none. What is read is checked, bounds and all: 22P02 bad text, 22P03 bad binary, 22003 and 22008
 * out of range. Memory comes from the scope. `in` and `out` may yield (value_breathe()), the others do not. */
struct type_ops {
    enum sqlstate (*in)(struct environment *environment, struct scope *scope, const struct type *type,
                        int32_t modifier, struct bytes text, struct value *value, struct error *error);
    enum sqlstate (*out)(struct environment *environment, struct scope *scope, const struct type *type,
                         const struct value *value, struct bytes *text, struct error *error);
    enum sqlstate (*receive)(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes binary, struct value *value, struct error *error);
    enum sqlstate (*send)(struct environment *environment, struct scope *scope, const struct type *type,
                          const struct value *value, struct bytes *binary, struct error *error);
    /* Of the types whose order is none of integers, floats and plain bytes; NULL for those. */
    int (*compare)(struct environment *environment, const struct type *type, const struct value *a,
                   const struct value *b);
    uint64_t (*hash)(struct environment *environment, const struct type *type, const struct value *value);
};

/* Of types whose values can be named, not used: everything fails with 0A000. No type is without operations. */
extern const struct type_ops unsupported_ops;

/* Three-way order, equality and hash of two values that are not null. Equal values hash alike (1.0 and 1.00 do).
 * Requires type->order != ORDER_NONE. */
int value_compare(struct environment *environment, const struct type *type, const struct value *a,
                  const struct value *b);
bool value_equal(struct environment *environment, const struct type *type, const struct value *a,
                 const struct value *b);
uint64_t value_hash(struct environment *environment, const struct type *type, const struct value *value);

/* What value_hash() gives for an integer and for text of one to seven bytes (of padded text, without the blanks at its end), for inner
 * loops. The last step of MurmurHash3: every bit of the input moves every bit of the output. */
#define HASH_SEED      0x9e3779b97f4a7c15ULL
#define HASH_FEW_BYTES 7
static inline uint64_t hash_mix(uint64_t bits)
{
    bits ^= bits >> 33;
    bits *= 0xff51afd7ed558ccdULL;
    bits ^= bits >> 33;
    bits *= 0xc4ceb9fe1a85ec53ULL;
    return bits ^ bits >> 33;
}
static inline uint64_t value_hash_integer(int64_t integer)
{
    return hash_mix((uint64_t)integer + HASH_SEED);
}
static inline uint64_t value_hash_few(struct bytes bytes)
{
    return hash_mix(bytes.size * HASH_SEED ^ hash_mix(load_few(bytes.data, bytes.size)));
}

/* 22021 when the bytes are no UTF-8 or hold a zero byte: then they are no text. */
enum sqlstate characters_check(struct bytes text, struct error *error);

/* A copy whose bytes are the scope's. Large ones come from scope_alloc_large: 53200. */
enum sqlstate value_copy(struct scope *scope, const struct type *type, const struct value *from,
                         struct value *to, struct error *error);

/* ---- what functions may know of the session they run in ---- */

struct time_zone;    /* time/zone.h */
struct catalog_view; /* sqlfront/catalog */

enum date_style { DATE_ISO, DATE_SQL, DATE_POSTGRES, DATE_GERMAN };
enum date_order { DATE_MDY, DATE_DMY, DATE_YMD };
enum interval_style {
    INTERVAL_POSTGRES,
    INTERVAL_POSTGRES_VERBOSE,
    INTERVAL_SQL_STANDARD,
    INTERVAL_ISO_8601
};

/* Owned by the session; the same for all functions of a statement. Fragments on other cores get a copy without the
 * catalog. */
struct environment {
    struct world *world;          /* of the core that evaluates */
    struct catalog_view *catalog; /* NULL in fragments: functions that need it do not run there */
    void *session;                /* sqlfront's session; NULL in fragments */
    /* Finds a type, built in or not; NULL when there is none. Never NULL itself; yields for what is not cached,
     * which what a bound statement needs always is. */
    const struct type *(*type_find)(struct environment *environment, uint32_t oid);
    const struct time_zone *zone;
    int64_t transaction_time; /* us since 2000-01-01 UTC: now(), current_timestamp */
    int64_t statement_time;
    enum date_style date_style;
    enum date_order date_order;
    enum interval_style interval_style;
    int extra_float_digits;
    bool bytea_escape; /* bytea_output = escape */
    bool standard_conforming_strings;
    uint64_t random[2]; /* state of random(): xoroshiro128**; zeros = not seeded yet */
};

/* Where one call of a function may take long, it asks this after each stretch of some ten microseconds: others have the core
 * meanwhile, and 57014 or the like comes out when the statement was canceled. May yield; does nothing where that is not
 * allowed (a fold while planning on the big stack). */
enum sqlstate value_breathe(struct environment *environment, struct error *error);

/* Bytes (or steps of that kind) that are handled between two breaths: memory is written at some GB/s. */
#define VALUE_STRETCH_BYTES (128 * 1024)

/* ---- functions ---- */

/* One call, set up once per expression and used for many rows. */
struct call {
    struct environment *environment;
    struct scope *scope;         /* results and scratch; lives as long as the batch */
    struct scope *scope_lasting; /* lives as long as the expression: for `memory` */
    struct error *error;
    const struct type *result;       /* of this call, after polymorphic types were resolved */
    const struct type *const *types; /* of the arguments */
    uint32_t arguments;
    int32_t modifier; /* of the result, -1 = none */
    uint32_t collation;
    bool *constant; /* per argument: the same for all rows (compile a pattern once); NULL = none is */
    void *memory;   /* the function's own between calls, NULL at first: a compiled pattern, say */
    bool
        variadic; /* called with VARIADIC: the last argument is an array that stands for many (of "any" functions) */
};

/* A scalar function: reads its arguments, writes *result, whose bytes lie in call->scope, in static memory or in an
 * argument. Strict functions are never called with a null. May yield: value_breathe(), and what the functions of the
 * catalog and session do (FUNCTION_SESSION). Registered under the name PostgreSQL gives it in pg_proc.prosrc (int4pl,
 * textcat, ...), so that the catalog's rows find it. */
struct function {
    const char *name; /* prosrc */
    enum sqlstate (*run)(struct call *call, const struct value *arguments, struct value *result);
    uint32_t flags; /* enum function_flags */
};

enum function_flags {
    FUNCTION_SESSION =
        1, /* needs call->environment->catalog or ->session; may yield; never runs in a fragment elsewhere */
    FUNCTION_LENIENT =
        2, /* is called with nulls although pg_proc calls it strict: no function of ours should need it */
};

/* The same for `rows` rows at once, where that is worth it: arguments[a][row] for the rows named by `selection` (NULL =
 * 0 .. count-1); nulls in the arguments give null. Found under the same name as the scalar one. */
struct kernel {
    const char *name; /* prosrc */
    enum sqlstate (*run)(struct call *call, const struct value *const *arguments, const uint16_t *selection,
                         uint32_t count, struct value *result);
};

/* A set-returning function: open() once per argument tuple (gives its state in call->memory), next() for each row;
 * `results` has one value per output column. */
struct set_function {
    const char *name; /* prosrc */
    enum sqlstate (*open)(struct call *call, const struct value *arguments);
    enum sqlstate (*next)(struct call *call, struct value *results, bool *end);
    /* Or, for one that stands alone in FROM and gives columns, many at once: up to `most` rows into results[column][row], whose
     * bytes are call->scope's; none at the end. */
    enum sqlstate (*next_rows)(struct call *call, struct value *const *results, uint32_t most,
                               uint32_t *count);
};

/* An aggregate, found by pg_proc.proname and its argument types (polymorphic ones by the pseudo-type, any count(*) as
 * count without arguments). State is `state_bytes` of zeroed, 16-byte aligned memory that the caller gives; what a state
 * needs besides comes from call->scope_lasting, which outlives all states (a state may grow; it cannot give back). */
struct aggregate {
    const char *name;
    uint32_t argument_types[2]; /* oids; 0 = none */
    uint32_t state_bytes;
    bool takes_null; /* step() is called for rows with null arguments, too */
    enum sqlstate (*step)(struct call *call, void *state, const struct value *arguments);
    /* Adds `from` to `into`: partial aggregation. NULL when it cannot be done. */
    enum sqlstate (*merge)(struct call *call, void *into, const void *from);
    enum sqlstate (*finish)(struct call *call, void *state, struct value *result);
    /* States as bytes, for spilling and between cores; NULL when the state is flat memory without pointers. */
    enum sqlstate (*save)(struct call *call, const void *state, struct bytes *saved);
    enum sqlstate (*load)(struct call *call, void *state, struct bytes saved);
    /* step() for the rows named by `selection` (as a kernel's); the state of a row lies `offset` bytes behind states[row]. Rows with
     * null arguments count only where takes_null says so. NULL: step() is called for each. */
    enum sqlstate (*step_rows)(struct call *call, void *const *states, size_t offset,
                               const struct value *const *arguments, const uint16_t *selection,
                               uint32_t count);
};

/* What each part of the value library brings; every list is ended by a row with name NULL, or is NULL itself.
 * sqlfront/library lists them all. */
struct library {
    const struct function *functions;
    const struct kernel *kernels;
    const struct set_function *set_functions;
    const struct aggregate *aggregates;
    const struct library *const
        *parts; /* libraries of its files (without parts of their own), ended by NULL; or NULL */
};

/* ---- rows and keys as bytes (row.c, key.c) ---- */

/* A stored row: drawn at the head of row.c. Column `c` of the row layout has type columns[c]. A row written with fewer
 * columns than asked for (the column was added later) gives `missing[c]` for the others. */
/* Whether integers of the type have no sign: oids and what is stored like them, enums. */
bool type_is_unsigned(const struct type *type);

struct row_layout; /* made once per table version */
struct row_layout *row_layout_make(struct scope *scope, const struct type *const *columns, uint32_t count,
                                   const struct value *missing);
/* Encodes `count` values. Memory from the scope. 54000 when it gets too long. */
enum sqlstate row_encode(const struct row_layout *layout, struct scope *scope, const struct value *values,
                         struct bytes *row, struct error *error);
/* Decodes the `wanted` columns (indices) into values[0..wanted_count): views into the row. XX001 when the bytes make no sense. */
enum sqlstate row_decode(const struct row_layout *layout, struct bytes row, const uint16_t *wanted,
                         uint32_t wanted_count, struct value *values, struct error *error);

/* The same into place `at` of columns[slot[i]]. *outside: bytes that values point to. */
enum sqlstate row_decode_at(const struct row_layout *layout, struct bytes row, const uint16_t *wanted,
                            const uint16_t *slot, uint32_t wanted_count, struct value *const *columns,
                            uint32_t at, size_t *outside, struct error *error);

/* A condition that is asked of a stored row where its bytes lie, before anything of it is decoded (row_test.c):
 * a column compared with another one or with constants; null counts as false. */
enum row_relation {
    ROW_LESS = 1,
    ROW_LESS_EQUAL,
    ROW_EQUAL, /* to any of the constants */
    ROW_GREATER_EQUAL,
    ROW_GREATER,
    ROW_NOT_EQUAL,
};
struct row_bounds {
    int64_t low, high; /* both pass; low > high: nothing does */
};
struct row_test {
    uint16_t column, other; /* `other` when there are no constants */
    uint8_t relation;
    const struct type *type; /* by whose order values are compared */
    const struct value *constant;
    uint32_t constants;
    /* By row_tests_prepare(), for rows that are laid out as most are: */
    uint8_t quick;
    uint16_t at; /* where the column lies; of a numeric or text: which one of those */
    uint16_t other_at;
    const struct row_bounds *bounds; /* of a numeric: for each scale */
    bool told;                       /* the bounds of one before it are these, too */
};
/* Makes tests of rows of that layout quick. Memory from the scope. */
void row_tests_prepare(struct scope *scope, const struct row_layout *layout, struct row_test *test,
                       uint32_t tests);
/* Whether a row passes all of them. One whose bytes make no sense does: decoding it will tell. */
bool row_passes(const struct row_layout *layout, struct environment *environment, struct bytes row,
                const struct row_test *test, uint32_t tests);

/* Order-preserving keys: bytes compare as the tuples do, a key's prefix is the key of the tuple's prefix. Every type
 * with an order but json-like ones can be a key (0A000 else). */
struct key_part {
    const struct type *type;
    bool descending;
    bool nulls_first;
};
struct key_writer {
    uint8_t bytes[2048]; /* STORE_KEY_BYTES_MAX and some */
    uint32_t size;
};
/* Appends a value. 54000 "index row size ... exceeds maximum" when it gets longer than 2,000 bytes. Reading back: key_decode. */
enum sqlstate key_append(struct key_writer *writer, const struct key_part *part, const struct value *value,
                         struct error *error);
/* Takes one value off the front of a key; memory from the scope where it cannot be a view. Enums and padded text come
 * back as they compare, not as they were written (trailing blanks are lost). */
enum sqlstate key_decode(struct scope *scope, const struct key_part *part, struct bytes *key,
                         struct value *value, struct error *error);
/* Whether values of the type come back from keys as they were: what an index alone can answer with. */
bool key_is_exact(const struct type *type);
/* The smallest key above all that begin with this one; false when there is none (all 0xff). `room` as large as the prefix. */
bool key_after_prefix(struct bytes prefix, uint8_t *room, uint32_t *size);

#endif
