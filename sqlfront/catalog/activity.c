/* Figures of what was done with relations and databases, counted by each core for itself and added up when asked for:
 * pg_stat_user_tables, pg_stat_user_indexes, pg_stat_database. A function that shows one asks all cores once for each statement
 * and finds everything in the answer. */
#include "sqlfront/catalog/functions.h"
#include "sqlfront/catalog/inside.h"

#include "base/mailbox.h"

/* Relations that are counted one by one; what comes later is counted together and not shown. */
#define ACTIVITIES_MAX 100000

struct activity *catalog_activity(struct catalog *catalog, uint32_t database, uint32_t relation)
{
    uint64_t key = (uint64_t)database << 32 | relation;
    struct error error;
    if (catalog->activities.count >= ACTIVITIES_MAX)
        key = 0;
    struct activity *found = map_find_number(&catalog->activities, key);
    if (found)
        return found;
    found = scope_alloc_zeroed(catalog->scope, sizeof *found);
    if (map_put_number(&catalog->activities, key, found, NULL, &error))
        error_clear(&error); /* counted where nobody looks */
    return found;
}

/* ---- adding up ---- */

struct activity_entry {
    uint32_t relation;
    struct activity activity;
};

struct activity_mail {
    struct mail mail;
    struct catalog_shared *shared;
    uint32_t database;
    size_t room, count;
    struct activity_entry *entry;
};

static void activity_deliver(struct world *here, struct mail *mail)
{
    struct activity_mail *asked = container_of(mail, struct activity_mail, mail);
    const struct catalog *catalog = asked->shared->core[here->core];
    const struct map_entry *entry;
    size_t at = 0;
    asked->count = 0;
    while (catalog && (entry = map_next(&catalog->activities, &at))) {
        if (entry->number >> 32 != asked->database)
            continue;
        if (asked->count++ < asked->room)
            asked->entry[asked->count - 1] =
                (struct activity_entry){(uint32_t)entry->number, *(const struct activity *)entry->value};
    }
    mail_return(here, mail);
}

static void add(struct activity *sum, const struct activity *one)
{
    sum->scans += one->scans;
    sum->read += one->read;
    sum->fetched += one->fetched;
    sum->inserted += one->inserted;
    sum->updated += one->updated;
    sum->deleted += one->deleted;
    sum->analyzed += one->analyzed;
    sum->analyzed_by_itself += one->analyzed_by_itself;
    sum->commits += one->commits;
    sum->rollbacks += one->rollbacks;
    int64_t last =
        sum->analyzed_at > sum->analyzed_by_itself_at ? sum->analyzed_at : sum->analyzed_by_itself_at;
    if (one->analyzed_at > last || one->analyzed_by_itself_at > last)
        sum->changes_when_analyzed = one->changes_when_analyzed;
    if (one->analyzed_at > sum->analyzed_at)
        sum->analyzed_at = one->analyzed_at;
    if (one->analyzed_by_itself_at > sum->analyzed_by_itself_at)
        sum->analyzed_by_itself_at = one->analyzed_by_itself_at;
}

/* All figures of a database, by relation. Yields. */
static enum sqlstate add_up(struct catalog *catalog, struct scope *scope, uint32_t database, struct map *sums,
                            struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    map_init(sums, MAP_OF_NUMBERS, scope, catalog->seed);
    for (uint32_t core = 0; core < catalog->world->cores && !failed; core++) {
        struct activity_mail *asked = scope_alloc_zeroed(scope, sizeof *asked);
        *asked = (struct activity_mail){.shared = catalog->shared, .database = database};
        do {
            void *memory;
            asked->mail.deliver = activity_deliver;
            asked->room = asked->count + 64;
            failed = scope_alloc_large(scope, asked->room * sizeof *asked->entry, 16, &memory, error);
            asked->entry = memory;
            if (!failed)
                failed = mail_call(catalog->world, scope, core, &asked->mail, error);
        } while (!failed && asked->count > asked->room);
        for (size_t i = 0; i < asked->count && !failed; i++) {
            struct activity *sum = map_find_number(sums, asked->entry[i].relation);
            if (sum)
                add(sum, &asked->entry[i].activity);
            else
                failed =
                    map_put_number(sums, asked->entry[i].relation, &asked->entry[i].activity, NULL, error);
        }
    }
    return failed;
}

enum sqlstate catalog_activity_sum(struct catalog *catalog, struct scope *scope, uint32_t database,
                                   uint32_t relation, struct activity *sum, struct error *error)
{
    struct map sums;
    enum sqlstate failed = add_up(catalog, scope, database, &sums, error);
    const struct activity *found = failed ? NULL : map_find_number(&sums, relation);
    *sum = found ? *found : (struct activity){0};
    return failed;
}

/* ---- the functions ---- */

/* The sums of the expression's statement. Yields. */
static enum sqlstate sums_of(struct call *call, const struct map **sums)
{
    struct catalog_view *view = call->environment->catalog;
    enum sqlstate failed = SQLSTATE_OK;
    if (!call->memory) {
        struct map *made = scope_alloc_zeroed(call->scope_lasting, sizeof *made);
        failed = add_up(view->catalog, call->scope_lasting, view->session->database, made, call->error);
        if (!failed)
            call->memory = made;
    }
    *sums = call->memory;
    return failed;
}

static enum sqlstate look_up(struct call *call, uint32_t relation, struct activity *activity)
{
    const struct map *sums;
    enum sqlstate failed = sums_of(call, &sums);
    const struct activity *found = failed ? NULL : map_find_number(sums, relation);
    *activity = found ? *found : (struct activity){0};
    return failed;
}

#define SHOWS(function, what)                                                                             \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                     \
        struct activity of;                                                                               \
        enum sqlstate failed = look_up(call, (uint32_t)arguments[0].i, &of);                              \
        *result = what;                                                                                   \
        return failed;                                                                                    \
    }
#define NUMBER(number) value_integer((int64_t)(number))
#define MOMENT(time)   ((time) ? value_integer(time) : value_null())

SHOWS(scans, NUMBER(of.scans))
SHOWS(rows_read, NUMBER(of.read))
SHOWS(rows_fetched, NUMBER(of.fetched))
SHOWS(rows_inserted, NUMBER(of.inserted))
SHOWS(rows_updated, NUMBER(of.updated))
SHOWS(rows_deleted, NUMBER(of.deleted))
SHOWS(changes, NUMBER(of.inserted + of.updated + of.deleted - of.changes_when_analyzed))
SHOWS(analyzed, NUMBER(of.analyzed))
SHOWS(analyzed_by_itself, NUMBER(of.analyzed_by_itself))
SHOWS(analyzed_at, MOMENT(of.analyzed_at))
SHOWS(analyzed_by_itself_at, MOMENT(of.analyzed_by_itself_at))

static enum sqlstate rows_live(struct call *call, const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    const struct relation *relation;
    struct table_size size = {0};
    enum sqlstate failed = catalog_relation_by_oid(view, (uint32_t)arguments[0].i, &relation, call->error);
    if (!failed && relation && relation->store)
        failed =
            table_measure(view->catalog->world, view->catalog->engine, relation->store, &size, call->error);
    *result = NUMBER(size.rows);
    return failed;
}

/* Of the session's database; nothing is told of others. */
#define SHOWS_ALL(function, number)                                                                       \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                     \
        const struct map *sums;                                                                           \
        const struct map_entry *entry;                                                                    \
        size_t at = 0;                                                                                    \
        uint64_t sum = 0;                                                                                 \
        enum sqlstate failed = sums_of(call, &sums);                                                      \
        bool own = (uint32_t)arguments[0].i == call->environment->catalog->session->database;             \
        while (!failed && own && (entry = map_next(sums, &at)))                                           \
            sum += ((const struct activity *)entry->value)->number;                                       \
        *result = NUMBER(sum);                                                                            \
        return failed;                                                                                    \
    }

SHOWS_ALL(all_read, read)
SHOWS_ALL(all_fetched, fetched)
SHOWS_ALL(all_inserted, inserted)
SHOWS_ALL(all_updated, updated)
SHOWS_ALL(all_deleted, deleted)
SHOWS_ALL(all_commits, commits)
SHOWS_ALL(all_rollbacks, rollbacks)

static const struct function functions[] = {
    ASKS("pg_stat_get_numscans", scans),
    ASKS("pg_stat_get_tuples_returned", rows_read),
    ASKS("pg_stat_get_tuples_fetched", rows_fetched),
    ASKS("pg_stat_get_tuples_inserted", rows_inserted),
    ASKS("pg_stat_get_tuples_updated", rows_updated),
    ASKS("pg_stat_get_tuples_deleted", rows_deleted),
    ASKS("pg_stat_get_ins_since_vacuum", rows_inserted),
    ASKS("pg_stat_get_mod_since_analyze", changes),
    ASKS("pg_stat_get_live_tuples", rows_live),
    ASKS("pg_stat_get_analyze_count", analyzed),
    ASKS("pg_stat_get_autoanalyze_count", analyzed_by_itself),
    ASKS("pg_stat_get_last_analyze_time", analyzed_at),
    ASKS("pg_stat_get_last_autoanalyze_time", analyzed_by_itself_at),
    ASKS("pg_stat_get_db_tuples_returned", all_read),
    ASKS("pg_stat_get_db_tuples_fetched", all_fetched),
    ASKS("pg_stat_get_db_tuples_inserted", all_inserted),
    ASKS("pg_stat_get_db_tuples_updated", all_updated),
    ASKS("pg_stat_get_db_tuples_deleted", all_deleted),
    ASKS("pg_stat_get_db_xact_commit", all_commits),
    ASKS("pg_stat_get_db_xact_rollback", all_rollbacks),
    {0},
};

const struct library activity_library = {.functions = functions};
