/* A text is cut into tokens (words, numbers, quoted texts, operators, signs), some of them are left out, doubled, moved,
 * replaced by others of the text, of another text, or of a list, and the rest is written with blanks between. */
#include "test/fuzz/sql_mutate.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define TOKENS_MAX 2000

struct token {
    const char *text;
    size_t size;
};

struct tokens {
    size_t count;
    struct token token[TOKENS_MAX];
};

/* What a text may get that it did not have; a piece may be several tokens. */
static const char *const pieces[] = {
    /* numbers and texts at edges */
    "0",
    "1",
    "-1",
    "2",
    "10",
    "32767",
    "32768",
    "2147483647",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e308",
    "1e-320",
    "1e131071",
    "0.1",
    "'NaN'::float8",
    "'Infinity'::numeric",
    "NULL",
    "NULL::int",
    "true",
    "false",
    "''",
    "'a'",
    "'\\x00'::bytea",
    "U&'\\0041'",
    "E'\\n'",
    "B'101'",
    "'{}'",
    "'{1,2,NULL}'::int[]",
    "'{{1,2},{3,4}}'::int[]",
    "ARRAY[1,2,3]",
    "ARRAY[]::text[]",
    "ARRAY[ARRAY[1],ARRAY[2]]",
    "'infinity'::timestamp",
    "'-infinity'::date",
    "'294276-12-31'::timestamp",
    "'4713-01-01 BC'::date",
    "interval '1 month'",
    "interval '178000000 years'",
    "'{\"a\":[1,{\"b\":null}]}'::jsonb",
    "'[1,2]'::json",
    "ROW(1,'a')",
    "ROW(1,NULL,ROW(2))",
    "'\xf0\x9f\x98\x80'",
    "repeat('ab', 1000)",
    "generate_series(1, 3)",
    "DATE '2020-02-30'",
    "TIME '24:00'",
    "timestamptz '2020-03-29 02:30 Europe/Berlin'",
    /* operators */
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "||",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "~",
    "~*",
    "!~",
    "LIKE",
    "ILIKE",
    "SIMILAR TO",
    "IS NULL",
    "IS NOT NULL",
    "IS DISTINCT FROM",
    "IN (1, 2, NULL)",
    "NOT",
    "AND",
    "OR",
    "->",
    "->>",
    "#>",
    "@>",
    "<@",
    "?",
    "&&",
    "<<",
    ">>",
    "&",
    "|",
    "#",
    "BETWEEN SYMMETRIC 1 AND",
    "= ANY",
    "<> ALL",
    "AT TIME ZONE 'UTC'",
    "COLLATE \"C\"",
    "OVERLAPS",
    "ESCAPE ''",
    "IS TRUE",
    "IS UNKNOWN",
    "||",
    "-|-",
    "!=",
    "@",
    "|/",
    "!",
    /* casts */
    "::int",
    "::int2",
    "::int8",
    "::text",
    "::numeric",
    "::numeric(5,2)",
    "::numeric(2,-3)",
    "::float4",
    "::float8",
    "::boolean",
    "::date",
    "::timestamp(0)",
    "::timestamptz",
    "::interval",
    "::interval year to month",
    "::time",
    "::timetz",
    "::varchar(2)",
    "::char(3)",
    "::\"char\"",
    "::name",
    "::bytea",
    "::uuid",
    "::json",
    "::jsonb",
    "::int[]",
    "::text[][]",
    "::regclass",
    "::regtype",
    "::regproc",
    "::oid",
    "::money",
    "::pair",
    "::mood",
    "::big",
    "::record",
    "::anyarray",
    "::cstring",
    "::void",
    "::xid",
    "::tid",
    "::oidvector",
    "::bit(3)",
    /* clauses */
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT 2",
    "OFFSET 1",
    "FETCH FIRST 1 ROW WITH TIES",
    "DISTINCT",
    "DISTINCT ON (1)",
    "UNION",
    "UNION ALL",
    "INTERSECT",
    "EXCEPT ALL",
    "JOIN",
    "LEFT JOIN",
    "FULL JOIN",
    "CROSS JOIN LATERAL",
    "NATURAL JOIN",
    "USING (id)",
    "ON true",
    "ON a.id = b.id",
    "GROUPING SETS ((), (1))",
    "ROLLUP (1, 2)",
    "CUBE (1)",
    "WITH w AS (SELECT 1 AS x)",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5)",
    "WITH m AS MATERIALIZED (DELETE FROM b RETURNING *)",
    "FOR UPDATE",
    "FOR SHARE SKIP LOCKED",
    "FOR NO KEY UPDATE NOWAIT",
    "AS",
    "AS x",
    "AS t(a, b)",
    "WITH ORDINALITY",
    "ROWS FROM (generate_series(1,2), unnest(ARRAY['a']))",
    "TABLESAMPLE BERNOULLI (50)",
    "OVER ()",
    "OVER (PARTITION BY id ORDER BY 1)",
    "OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)",
    "OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
    "OVER (ORDER BY id GROUPS 1 PRECEDING)",
    "OVER w",
    "WINDOW w AS (ORDER BY id)",
    "FILTER (WHERE id > 1)",
    "WITHIN GROUP (ORDER BY id)",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "CASE id WHEN 1 THEN 2 END",
    "EXISTS (SELECT 1)",
    "(SELECT max(id) FROM a)",
    "ARRAY(SELECT id FROM b)",
    "(VALUES (1, 'x'), (2, NULL)) v(p, q)",
    "VALUES",
    "RETURNING *",
    "ON CONFLICT DO NOTHING",
    "ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    "DEFAULT",
    "SET n = n + 1",
    "USING b",
    "MERGE INTO a USING b ON a.id = b.id",
    "WHEN MATCHED THEN DELETE",
    "WHEN NOT MATCHED THEN INSERT VALUES (9)",
    "WHEN MATCHED AND a.n > 1 THEN UPDATE SET n = 0",
    "EXPLAIN",
    "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON)",
    "COPY a TO STDOUT",
    "CREATE TABLE",
    "CREATE VIEW v AS",
    "CREATE INDEX ON",
    "ALTER TABLE",
    "DROP TABLE",
    "TRUNCATE",
    "CASCADE",
    "IF EXISTS",
    "ADD COLUMN",
    "DROP COLUMN",
    "ALTER COLUMN n TYPE text",
    "PRIMARY KEY",
    "UNIQUE",
    "REFERENCES a",
    "CHECK (n > 0)",
    "NOT NULL",
    "GENERATED ALWAYS AS IDENTITY",
    "GENERATED ALWAYS AS (n * 2) STORED",
    "DEFERRABLE INITIALLY DEFERRED",
    "TEMPORARY",
    "DECLARE c SCROLL CURSOR FOR",
    "FETCH BACKWARD 2 FROM c",
    "PREPARE p AS",
    "EXECUTE p",
    "$1",
    "SET",
    "SHOW ALL",
    "ANALYZE",
    "LOCK TABLE a",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'",
    "GRANT SELECT ON a TO synod",
    "COMMENT ON TABLE a IS 'x'",
    /* signs and names */
    "(",
    ")",
    ",",
    ";",
    ".",
    "[1]",
    "[1:2]",
    "[:]",
    ".*",
    "*",
    "a",
    "b",
    "c",
    "d",
    "a.*",
    "(a).id",
    "id",
    "n",
    "t",
    "x",
    "big",
    "pair",
    "pg_class",
    "pg_attribute",
    "pg_type",
    "pg_proc",
    "pg_locks",
    "pg_stat_activity",
    "information_schema.columns",
    "ctid",
    "xmin",
    "tableoid",
    /* functions of every kind */
    "count(*)",
    "count(DISTINCT id)",
    "sum(n)",
    "avg(n)",
    "min(t)",
    "max(t)",
    "array_agg(id ORDER BY n DESC)",
    "string_agg(t, ',')",
    "json_agg(a)",
    "jsonb_object_agg(t, n)",
    "bool_and(true)",
    "percentile_cont(0.5)",
    "mode()",
    "stddev(n)",
    "corr(n, id)",
    "row_number()",
    "rank()",
    "ntile(3)",
    "lag(n, 2)",
    "first_value(t)",
    "nth_value(t, 2)",
    "grouping(id)",
    "cume_dist()",
    "coalesce(",
    "nullif(",
    "greatest(",
    "least(",
    "row(",
    "abs(",
    "mod(",
    "power(",
    "sqrt(",
    "ln(",
    "exp(",
    "round(",
    "trunc(",
    "width_bucket(",
    "factorial(",
    "gcd(",
    "random()",
    "length(",
    "substr(",
    "substring(",
    "overlay(",
    "position(",
    "trim(",
    "lpad(",
    "rpad(",
    "repeat(",
    "replace(",
    "translate(",
    "split_part(",
    "regexp_replace(",
    "regexp_matches(",
    "regexp_split_to_table(",
    "string_to_array(",
    "format(",
    "concat_ws(",
    "encode(",
    "decode(",
    "md5(",
    "sha256(",
    "to_char(",
    "to_number(",
    "to_date(",
    "to_timestamp(",
    "date_trunc(",
    "date_part(",
    "date_bin(",
    "extract(epoch from ",
    "age(",
    "make_date(",
    "make_interval(",
    "justify_interval(",
    "now()",
    "generate_series(",
    "generate_subscripts(",
    "unnest(",
    "array_append(",
    "array_cat(",
    "array_position(",
    "array_remove(",
    "array_to_string(",
    "array_fill(",
    "cardinality(",
    "array_dims(",
    "to_json(",
    "to_jsonb(",
    "row_to_json(",
    "json_each(",
    "jsonb_each_text(",
    "jsonb_set(",
    "jsonb_insert(",
    "jsonb_array_elements(",
    "json_populate_record(NULL::pair, ",
    "jsonb_to_recordset(",
    "jsonb_pretty(",
    "jsonb_strip_nulls(",
    "set_config(",
    "current_setting(",
    "pg_typeof(",
    "pg_get_viewdef(",
    "pg_get_expr(",
    "format_type(",
    "obj_description(",
    "has_table_privilege(",
    "nextval('a_id_seq')",
    "pg_sleep(0)",
    "txid_current()",
    "pg_advisory_lock(1)",
    "pg_backend_pid()",
    "to_regclass(",
    "parse_ident(",
    "quote_literal(",
    "convert_from(",
    "chr(",
    "ascii(",
    "initcap(",
    "normalize(",
    "unistr(",
    "bit_count(",
    "set_bit(",
    "get_byte(",
    "num_nulls(",
    "scale(",
    "trim_scale(",
    "erf(",
};
#define PIECES (sizeof pieces / sizeof pieces[0])

/* ---- dice ---- */

static uint64_t draw(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15;
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

static size_t below(uint64_t *state, size_t limit)
{
    return limit ? draw(state) % limit : 0;
}

/* ---- tokens ---- */

static bool is_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_' || letter == '$' || (unsigned char)letter >= 0x80;
}

/* Bytes of the token at `text`, at least 1. */
static size_t token_size(const char *text, size_t size)
{
    size_t used = 1;
    if (*text == '\'' || *text == '"') {
        while (used < size && (text[used] != *text || (used + 1 < size && text[used + 1] == *text)))
            used += text[used] == *text ? 2 : 1;
        return used < size ? used + 1 : size;
    }
    if (is_word(*text)) {
        while (used < size && (is_word(text[used]) || (text[used] == '.' && isdigit((unsigned char)*text))))
            used++;
        return used;
    }
    if (!strchr("+-*/<>=~!@#%^&|`?:", *text))
        return 1;
    while (used < size && text[used] && strchr("+-*/<>=~!@#%^&|`?:", text[used]))
        used++;
    return used;
}

static void tokens_cut(struct tokens *tokens, const char *text, size_t size)
{
    tokens->count = 0;
    for (size_t at = 0; at < size && tokens->count < TOKENS_MAX;) {
        if (isspace((unsigned char)text[at])) {
            at++;
            continue;
        }
        size_t used = token_size(text + at, size - at);
        tokens->token[tokens->count++] = (struct token){text + at, used};
        at += used;
    }
}

static size_t tokens_write(const struct tokens *tokens, char *text, size_t room)
{
    size_t size = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        const struct token *token = &tokens->token[i];
        if (size + token->size + 1 > room)
            break;
        memcpy(text + size, token->text, token->size);
        size += token->size;
        text[size++] = *token->text == ';' ? '\n' : ' ';
    }
    return size;
}

static void cut_out(struct tokens *tokens, size_t at, size_t count)
{
    memmove(&tokens->token[at], &tokens->token[at + count],
            (tokens->count - at - count) * sizeof tokens->token[0]);
    tokens->count -= count;
}

static void put_in(struct tokens *tokens, size_t at, const struct token *what, size_t count)
{
    if (tokens->count + count > TOKENS_MAX)
        return;
    memmove(&tokens->token[at + count], &tokens->token[at], (tokens->count - at) * sizeof tokens->token[0]);
    memcpy(&tokens->token[at], what, count * sizeof *what);
    tokens->count += count;
}

/* The end of the group that a parenthesis at `at` opens; at + 1 when it opens none. */
static size_t group_end(const struct tokens *tokens, size_t at)
{
    size_t depth = 0;
    for (size_t end = at; end < tokens->count; end++) {
        const struct token *token = &tokens->token[end];
        depth += token->size == 1 && *token->text == '(';
        if (token->size == 1 && *token->text == ')' && --depth == 0)
            return end + 1;
        if (depth == 0)
            break;
    }
    return at + 1;
}

/* A run of tokens to be taken: a whole group, or a few. */
static size_t run_size(const struct tokens *tokens, size_t at, uint64_t *dice)
{
    size_t group = group_end(tokens, at) - at, left = tokens->count - at, few = 1 + below(dice, 6);
    return group > 1 ? group : few < left ? few : left;
}

/* ---- changes ---- */

/* Takes a run out of `from` and puts it into `tokens`, in front of `at` or instead of a run there. */
static void transplant(struct tokens *tokens, const struct tokens *from, size_t at, bool instead,
                       uint64_t *dice)
{
    static struct token kept[TOKENS_MAX];
    if (!from->count)
        return;
    size_t start = below(dice, from->count), count = run_size(from, start, dice);
    memcpy(kept, &from->token[start], count * sizeof kept[0]);
    if (instead && at < tokens->count)
        cut_out(tokens, at, run_size(tokens, at, dice));
    put_in(tokens, at, kept, count);
}

static void change(struct tokens *tokens, const struct tokens *other, uint64_t *dice)
{
    static const struct token open = {"(", 1}, close = {")", 1}, end = {";", 1};
    const char *text = pieces[below(dice, PIECES)];
    struct token piece = {text, strlen(text)};
    size_t at = below(dice, tokens->count + 1);
    bool inside = at < tokens->count;
    switch (below(dice, 12)) {
    case 0:
        if (inside)
            cut_out(tokens, at, run_size(tokens, at, dice));
        break;
    case 1:
    case 2:
        if (inside)
            tokens->token[at] = piece;
        break;
    case 3:
    case 4:
        put_in(tokens, at, &piece, 1);
        break;
    case 5:
        transplant(tokens, tokens, at, false, dice);
        break;
    case 6:
        transplant(tokens, tokens, at, true, dice);
        break;
    case 7:
        transplant(tokens, other, at, true, dice);
        break;
    case 8:
        transplant(tokens, other, at, false, dice);
        break;
    case 9:
        if (inside) {
            size_t with = below(dice, tokens->count);
            struct token token = tokens->token[at];
            tokens->token[at] = tokens->token[with];
            tokens->token[with] = token;
        }
        break;
    case 10:
        if (inside) {
            size_t count = run_size(tokens, at, dice);
            put_in(tokens, at + count, &close, 1);
            put_in(tokens, at, &open, 1);
            if (below(dice, 2))
                put_in(tokens, at, &piece, 1);
        }
        break;
    default: /* another statement behind */
        put_in(tokens, tokens->count, &end, 1);
        for (size_t i = 0; i < other->count; i++)
            put_in(tokens, tokens->count, &other->token[i], 1);
    }
}

size_t sql_mutate(uint8_t *text, size_t size, size_t room, const uint8_t *other, size_t other_size,
                  unsigned int seed)
{
    static struct tokens tokens, others;
    static char old[1 << 16], made[1 << 16];
    uint64_t dice = seed;
    if (size > sizeof old)
        size = sizeof old;
    memcpy(old, text, size);
    tokens_cut(&tokens, old, size);
    tokens_cut(&others, (const char *)other, other_size);
    for (size_t changes = 1 + below(&dice, 4); changes; changes--)
        change(&tokens, &others, &dice);
    size = tokens_write(&tokens, made, room < sizeof made ? room : sizeof made);
    memcpy(text, made, size);
    return size;
}
