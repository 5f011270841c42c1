/* How large things are, where they lie, and what can be done with them (PostgreSQL manual, 9.27.7, 9.26). Sizes are those
 * the shards tell. */
#include "sqlfront/catalog/functions.h"
#include "sqlfront/parse/parse.h"
#include "sqlfront/value/array/array.h"

#include <string.h>
#include <strings.h>

/* Adds what a store takes. */
static enum sqlstate store_bytes(struct call *call, uint64_t store, uint64_t *bytes)
{
    struct catalog *catalog = call->environment->catalog->catalog;
    struct table_size size = {0};
    enum sqlstate failed =
        store ? table_measure(catalog->world, catalog->engine, store, &size, call->error) : SQLSTATE_OK;
    *bytes += size.bytes;
    return failed;
}

static enum sqlstate index_bytes(struct call *call, const struct relation *relation, uint64_t *bytes)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < relation->indexes && !failed; i++)
        if (!relation->index[i]->clustered)
            failed = store_bytes(call, relation->index[i]->store, bytes);
    return failed;
}

static enum sqlstate size_of(struct call *call, const struct value *argument, bool table, bool indexes,
                             struct value *result)
{
    const struct relation *relation;
    uint64_t bytes = 0;
    *result = value_null();
    enum sqlstate failed =
        catalog_relation_by_oid(call->environment->catalog, (uint32_t)argument->i, &relation, call->error);
    if (failed || !relation)
        return failed;
    if (table)
        failed = store_bytes(call, relation->store, &bytes);
    if (!failed && indexes)
        failed = index_bytes(call, relation, &bytes);
    *result = value_integer((int64_t)bytes);
    return failed;
}

static enum sqlstate relation_size(struct call *call, const struct value *arguments, struct value *result)
{
    const char *fork = text_argument(call, &arguments[1]);
    if (strcmp(fork, "main") == 0)
        return size_of(call, &arguments[0], true, false, result);
    if (strcmp(fork, "fsm") != 0 && strcmp(fork, "vm") != 0 && strcmp(fork, "init") != 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid fork name");
    return size_of(call, &arguments[0], false, false, result);
}

static enum sqlstate table_size(struct call *call, const struct value *arguments, struct value *result)
{
    return size_of(call, &arguments[0], true, false, result);
}

static enum sqlstate indexes_size(struct call *call, const struct value *arguments, struct value *result)
{
    return size_of(call, &arguments[0], false, true, result);
}

static enum sqlstate total_size(struct call *call, const struct value *arguments, struct value *result)
{
    return size_of(call, &arguments[0], true, true, result);
}

/* All shards whose table belongs to the database: its number is the upper half of the table's. */
static enum sqlstate all_bytes(struct call *call, uint32_t database, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuples found;
    uint64_t bytes = 0;
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    if (database == view->session->database)
        failed = tuples_find(&reading.access, reading.scope, PG_CLASS, NULL, 0, &found, call->error);
    else
        found.count = 0;
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        uint32_t file = (uint32_t)row[PG_CLASS_RELFILENODE].i;
        if (file && row[PG_CLASS_OID].i >= OID_USER_FIRST)
            failed = store_bytes(call, store_number(database, file), &bytes);
    }
    for (uint32_t i = 0; !failed && i < system_relations_count; i++)
        if (!system_relations[i].shared)
            failed = store_bytes(call, store_number(database, system_relations[i].oid), &bytes);
    reading_end(view, &reading);
    *result = value_integer((int64_t)bytes);
    return failed;
}

static enum sqlstate database_size(struct call *call, const struct value *arguments, struct value *result)
{
    return all_bytes(call, (uint32_t)arguments[0].i, result);
}

static enum sqlstate database_size_name(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    uint32_t oid;
    const char *name = text_argument(call, &arguments[0]);
    enum sqlstate failed = catalog_database(call->environment->catalog, name, &oid, call->error);
    if (!failed && !oid)
        failed = error_set(call->error, SQLSTATE_UNDEFINED_DATABASE, "database \"%s\" does not exist", name);
    return failed ? failed : all_bytes(call, oid, result);
}

static enum sqlstate relation_filenode(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed =
        catalog_relation_by_oid(call->environment->catalog, (uint32_t)arguments[0].i, &relation, call->error);
    *result =
        failed || !relation || !relation->store ? value_null() : value_integer((uint32_t)relation->store);
    return failed;
}

/* A relation's file has the number it was made with until it is rewritten. */
enum sqlstate catalog_relation_of_store(struct catalog_view *view, uint64_t store, uint32_t *oid,
                                        struct error *error)
{
    struct reading reading;
    struct tuples found;
    const struct relation *relation;
    uint32_t file = (uint32_t)store, database = (uint32_t)(store >> 32);
    *oid = 0;
    if (database && database != view->session->database)
        return SQLSTATE_OK;
    enum sqlstate failed = catalog_relation_by_oid(view, file, &relation, error);
    if (failed || (relation && relation->store == store) || file < OID_USER_FIRST) {
        *oid = file;
        return failed;
    }
    if ((failed = reading_begin(view, &reading, error)))
        return failed;
    const struct tuple_match match = {PG_CLASS_RELFILENODE, value_integer(file)};
    failed = tuples_find(&reading.access, reading.scope, PG_CLASS, &match, 1, &found, error);
    if (!failed && found.count)
        *oid = (uint32_t)found.tuple[0].values[PG_CLASS_OID].i;
    reading_end(view, &reading);
    return failed;
}

/* ---- what can be done ---- */

static enum sqlstate is_publishable(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed =
        catalog_relation_by_oid(call->environment->catalog, (uint32_t)arguments[0].i, &relation, call->error);
    *result = failed || !relation ? value_null()
                                  : value_boolean(relation->kind == RELATION_TABLE && !relation->system &&
                                                  relation->persistence == 'p');
    return failed;
}

/* Bits of events: 4 UPDATE, 8 INSERT, 16 DELETE. */
static enum sqlstate is_updatable(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed =
        catalog_relation_by_oid(call->environment->catalog, (uint32_t)arguments[0].i, &relation, call->error);
    *result = value_integer(!failed && relation && relation->kind == RELATION_TABLE ? 4 | 8 | 16 : 0);
    return failed;
}

static enum sqlstate column_is_updatable(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed =
        catalog_relation_by_oid(call->environment->catalog, (uint32_t)arguments[0].i, &relation, call->error);
    *result = value_boolean(!failed && relation && relation->kind == RELATION_TABLE && arguments[1].i > 0);
    return failed;
}

static bool one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcasecmp(word, *list) == 0)
            return true;
    return false;
}

/* Properties of btree, which all our indexes are. */
static enum sqlstate method_property(struct call *call, const struct value *arguments, struct value *result)
{
    static const char *const has[] = {"can_order", "can_unique", "can_multi_col", "can_include", NULL};
    static const char *const lacks[] = {"can_exclude", NULL};
    const char *word = text_argument(call, &arguments[1]);
    *result = one_of(word, has)     ? value_boolean(true)
              : one_of(word, lacks) ? value_boolean(false)
                                    : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate index_property(struct call *call, const struct value *arguments, struct value *result)
{
    static const char *const has[] = {"clusterable", "index_scan", "backward_scan", NULL};
    static const char *const lacks[] = {"bitmap_scan", NULL};
    const char *word = text_argument(call, &arguments[1]);
    *result = one_of(word, has)     ? value_boolean(true)
              : one_of(word, lacks) ? value_boolean(false)
                                    : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate column_property(struct call *call, const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuple tuple;
    struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(arguments[0].i)};
    const char *word = text_argument(call, &arguments[2]);
    int64_t *options;
    *result = value_null();
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuple_find(&reading.access, reading.scope, PG_INDEX, &match, 1, &tuple, call->error);
    if (!failed && tuple.values) {
        uint32_t count = list_numbers(reading.scope, &tuple.values[PG_INDEX_INDOPTION], &options);
        int64_t at = arguments[1].i - 1;
        int64_t option = at >= 0 && at < count ? options[at] : 0;
        bool descending = option & 1, nulls_first = (option & 2) != 0;
        if (at >= 0 && at < count) {
            if (strcasecmp(word, "asc") == 0)
                *result = value_boolean(!descending);
            else if (strcasecmp(word, "desc") == 0)
                *result = value_boolean(descending);
            else if (strcasecmp(word, "nulls_first") == 0)
                *result = value_boolean(nulls_first);
            else if (strcasecmp(word, "nulls_last") == 0)
                *result = value_boolean(!nulls_first);
            else if (strcasecmp(word, "distance_orderable") == 0)
                *result = value_boolean(false);
            else if (one_of(word, (const char *const[]){"orderable", "returnable", "search_array",
                                                        "search_nulls", NULL}))
                *result = value_boolean(true);
        }
    }
    reading_end(view, &reading);
    return failed;
}

static enum sqlstate says_false(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call, (void)arguments;
    *result = value_boolean(false);
    return SQLSTATE_OK;
}

/* Counters of uses: nothing counts them, as with track_counts = off. */
static enum sqlstate says_zero(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = call->result->kind == VALUE_FLOAT ? value_float(0) : value_integer(0);
    return SQLSTATE_OK;
}

static enum sqlstate says_empty(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call, (void)arguments;
    return gives_text(result, "");
}

/* Of b-trees, which all indexes say they are (PostgreSQL manual, 28.4.4). */
static enum sqlstate index_phase_name(struct call *call, const struct value *arguments, struct value *result)
{
    static const char *const names[] = {NULL,
                                        "initializing",
                                        "scanning table",
                                        "sorting live tuples",
                                        "sorting dead tuples",
                                        "loading tuples in tree"};
    (void)call;
    int64_t phase = arguments[1].i;
    bool known = phase > 0 && phase < (int64_t)(sizeof names / sizeof names[0]);
    *result = known ? value_text(names[phase]) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate says_null(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call, (void)arguments;
    *result = value_null();
    return SQLSTATE_OK;
}

/* ---- sets ---- */

/* A record of counters that nothing counts; what is no number is null. */
static enum sqlstate zeros(struct call *call, const uint32_t *oids, uint32_t count, struct value *result)
{
    const struct type *types[16];
    struct value values[16];
    for (uint32_t i = 0; i < count; i++) {
        types[i] = type_builtin(oids[i]);
        values[i] = types[i]->kind == VALUE_FLOAT     ? value_float(0)
                    : types[i]->kind == VALUE_NUMERIC ? (struct value){.small = true}
                    : types[i]->oid == TYPE_INT8      ? value_integer(0)
                                                      : value_null();
    }
    return record_build(call->scope, call->result, types, values, count, result, call->error);
}

static enum sqlstate archiver(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    static const uint32_t oids[] = {TYPE_INT8, TYPE_TEXT,        TYPE_TIMESTAMPTZ, TYPE_INT8,
                                    TYPE_TEXT, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ};
    return zeros(call, oids, sizeof oids / sizeof *oids, result);
}

static enum sqlstate wal(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    static const uint32_t oids[] = {TYPE_INT8, TYPE_INT8,   TYPE_NUMERIC, TYPE_INT8,       TYPE_INT8,
                                    TYPE_INT8, TYPE_FLOAT8, TYPE_FLOAT8,  TYPE_TIMESTAMPTZ};
    return zeros(call, oids, sizeof oids / sizeof *oids, result);
}

static enum sqlstate no_rows_open(struct call *call, const struct value *arguments)
{
    (void)call, (void)arguments;
    return SQLSTATE_OK;
}

static enum sqlstate no_rows_next(struct call *call, struct value *results, bool *end)
{
    (void)call, (void)results;
    *end = true;
    return SQLSTATE_OK;
}

struct options {
    const char **texts;
    uint32_t count, at;
};

static enum sqlstate options_open(struct call *call, const struct value *arguments)
{
    struct options *options = scope_alloc_zeroed(call->scope_lasting, sizeof *options);
    options->count = list_texts(call->scope_lasting, &arguments[0], &options->texts);
    call->memory = options;
    return SQLSTATE_OK;
}

/* "name=value" as two columns. */
static enum sqlstate options_next(struct call *call, struct value *results, bool *end)
{
    struct options *options = call->memory;
    *end = options->at == options->count;
    if (*end)
        return SQLSTATE_OK;
    const char *text = options->texts[options->at++], *equals = strchr(text, '=');
    results[0] = value_bytes(text, equals ? (size_t)(equals - text) : strlen(text));
    results[1] = equals ? value_text(equals + 1) : value_null();
    return SQLSTATE_OK;
}

struct keywords {
    uint32_t at;
};

static enum sqlstate keywords_open(struct call *call, const struct value *arguments)
{
    (void)arguments;
    call->memory = scope_alloc_zeroed(call->scope_lasting, sizeof(struct keywords));
    return SQLSTATE_OK;
}

static enum sqlstate keywords_next(struct call *call, struct value *results, bool *end)
{
    struct keywords *keywords = call->memory;
    struct parse_keyword keyword;
    *end = !parse_keyword(keywords->at++, &keyword);
    if (*end)
        return SQLSTATE_OK;
    static const struct {
        char code;
        const char *words;
    } categories[] = {{'U', "unreserved"},
                      {'C', "unreserved (cannot be function or type name)"},
                      {'T', "reserved (can be function or type name)"},
                      {'R', "reserved"}};
    results[0] = value_text(keyword.word);
    results[1] = value_integer(keyword.category);
    results[2] = value_boolean(keyword.bare_label);
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (categories[i].code == keyword.category)
            results[3] = value_text(categories[i].words);
    results[4] = value_text(keyword.bare_label ? "can be bare label" : "requires AS");
    return SQLSTATE_OK;
}

static const struct set_function sets[] = {
    {.name = "pg_partition_ancestors", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_partition_tree", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_get_publication_tables", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_available_extension_versions", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_available_extensions", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_config", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_get_backend_memory_contexts", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_get_multixact_members", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_get_shmem_allocations", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_hba_file_rules", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_ident_file_mappings", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_show_replication_origin_status", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_stat_get_recovery_prefetch", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_stat_get_slru", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_stat_get_subscription", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_stats_ext_mcvlist_items", .open = no_rows_open, .next = no_rows_next},
    {.name = "pg_options_to_table", .open = options_open, .next = options_next},
    {.name = "pg_get_keywords", .open = keywords_open, .next = keywords_next},
    {0},
};

static const struct function functions[] = {
    ASKS("pg_relation_size", relation_size),
    ASKS("pg_table_size", table_size),
    ASKS("pg_indexes_size", indexes_size),
    ASKS("pg_total_relation_size", total_size),
    ASKS("pg_database_size_oid", database_size),
    ASKS("pg_database_size_name", database_size_name),
    ASKS("pg_relation_filenode", relation_filenode),
    ASKS("pg_relation_is_publishable", is_publishable),
    ASKS("pg_relation_is_updatable", is_updatable),
    ASKS("pg_column_is_updatable", column_is_updatable),
    ASKS("pg_indexam_has_property", method_property),
    ASKS("pg_index_has_property", index_property),
    ASKS("pg_index_column_has_property", column_property),
    {.name = "pg_stat_get_autovacuum_count", .run = says_zero},
    {.name = "pg_stat_get_blocks_fetched", .run = says_zero},
    {.name = "pg_stat_get_blocks_hit", .run = says_zero},
    {.name = "pg_stat_get_db_active_time", .run = says_zero},
    {.name = "pg_stat_get_db_blk_read_time", .run = says_zero},
    {.name = "pg_stat_get_db_blk_write_time", .run = says_zero},
    {.name = "pg_stat_get_db_blocks_fetched", .run = says_zero},
    {.name = "pg_stat_get_db_blocks_hit", .run = says_zero},
    {.name = "pg_stat_get_db_checksum_failures", .run = says_zero},
    {.name = "pg_stat_get_db_conflict_all", .run = says_zero},
    {.name = "pg_stat_get_db_conflict_bufferpin", .run = says_zero},
    {.name = "pg_stat_get_db_conflict_lock", .run = says_zero},
    {.name = "pg_stat_get_db_conflict_snapshot", .run = says_zero},
    {.name = "pg_stat_get_db_conflict_startup_deadlock", .run = says_zero},
    {.name = "pg_stat_get_db_conflict_tablespace", .run = says_zero},
    {.name = "pg_stat_get_db_deadlocks", .run = says_zero},
    {.name = "pg_stat_get_db_idle_in_transaction_time", .run = says_zero},
    {.name = "pg_stat_get_db_session_time", .run = says_zero},
    {.name = "pg_stat_get_db_sessions", .run = says_zero},
    {.name = "pg_stat_get_db_sessions_abandoned", .run = says_zero},
    {.name = "pg_stat_get_db_sessions_fatal", .run = says_zero},
    {.name = "pg_stat_get_db_sessions_killed", .run = says_zero},
    {.name = "pg_stat_get_db_temp_bytes", .run = says_zero},
    {.name = "pg_stat_get_db_temp_files", .run = says_zero},
    {.name = "pg_stat_get_dead_tuples", .run = says_zero},
    {.name = "pg_stat_get_function_calls", .run = says_zero},
    {.name = "pg_stat_get_function_self_time", .run = says_zero},
    {.name = "pg_stat_get_function_total_time", .run = says_zero},
    {.name = "pg_stat_get_tuples_hot_updated", .run = says_zero},
    {.name = "pg_stat_get_vacuum_count", .run = says_zero},
    {.name = "pg_stat_get_xact_blocks_fetched", .run = says_zero},
    {.name = "pg_stat_get_xact_blocks_hit", .run = says_zero},
    {.name = "pg_stat_get_xact_function_calls", .run = says_zero},
    {.name = "pg_stat_get_xact_function_self_time", .run = says_zero},
    {.name = "pg_stat_get_xact_function_total_time", .run = says_zero},
    {.name = "pg_stat_get_xact_numscans", .run = says_zero},
    {.name = "pg_stat_get_xact_tuples_deleted", .run = says_zero},
    {.name = "pg_stat_get_xact_tuples_fetched", .run = says_zero},
    {.name = "pg_stat_get_xact_tuples_hot_updated", .run = says_zero},
    {.name = "pg_stat_get_xact_tuples_inserted", .run = says_zero},
    {.name = "pg_stat_get_xact_tuples_returned", .run = says_zero},
    {.name = "pg_stat_get_xact_tuples_updated", .run = says_zero},
    {.name = "pg_stat_get_db_checksum_last_failure", .run = says_null},
    {.name = "pg_stat_get_db_stat_reset_time", .run = says_null},
    {.name = "pg_stat_get_last_autovacuum_time", .run = says_null},
    {.name = "pg_stat_get_last_vacuum_time", .run = says_null},
    {.name = "pg_stat_get_bgwriter_timed_checkpoints", .run = says_zero},
    {.name = "pg_stat_get_bgwriter_requested_checkpoints", .run = says_zero},
    {.name = "pg_stat_get_checkpoint_write_time", .run = says_zero},
    {.name = "pg_stat_get_checkpoint_sync_time", .run = says_zero},
    {.name = "pg_stat_get_bgwriter_buf_written_checkpoints", .run = says_zero},
    {.name = "pg_stat_get_bgwriter_buf_written_clean", .run = says_zero},
    {.name = "pg_stat_get_bgwriter_maxwritten_clean", .run = says_zero},
    {.name = "pg_stat_get_buf_written_backend", .run = says_zero},
    {.name = "pg_stat_get_buf_fsync_backend", .run = says_zero},
    {.name = "pg_stat_get_buf_alloc", .run = says_zero},
    {.name = "pg_indexam_progress_phasename", .run = index_phase_name},
    {.name = "pg_stat_get_bgwriter_stat_reset_time", .run = says_null},
    {.name = "pg_stat_get_wal_receiver", .run = says_null},
    {.name = "pg_stat_get_replication_slot", .run = says_null},
    {.name = "pg_stat_get_subscription_stats", .run = says_null},
    {.name = "pg_stat_get_archiver", .run = archiver},
    {.name = "pg_stat_get_wal", .run = wal},
    {.name = "row_security_active", .run = says_false},
    {.name = "row_security_active_name", .run = says_false},
    {.name = "pg_tablespace_location", .run = says_empty},
    {.name = "pg_get_replica_identity_index", .run = says_null},
    {.name = "pg_partition_root", .run = says_null},
    {0},
};

const struct library size_library = {.functions = functions, .set_functions = sets};
