/* The catalog: what there is (databases, schemas, relations, types, functions, operators, casts, roles, privileges), as
 * PostgreSQL 15's pg_catalog has it.
 *
 * The relations of pg_catalog are tables of the engine like any other, read by SQL and written by the functions below in
 * the session's transaction: DDL is transactional. What the binder, planner and runner need of them they get as *descriptors*:
 * immutable, read once, kept per core and database, and thrown away when the catalog's version grows (each commit that
 * changed the catalog adds one; a published word all cores read). A descriptor stays valid while the caller's hold on its
 * generation lasts (catalog_view_open .. the view's scope). A session that changed the catalog in its open transaction reads
 * descriptors through that transaction, privately.
 *
 * Built-in procedures, operators, casts, types and aggregates (PostgreSQL's own rows, from data files in this folder) are
 * also static tables, so that finding them costs no read.
 *
 * Errors of all: those of the engine, besides what is said. All functions that take a view may yield. */
#ifndef SYNOD_SQLFRONT_CATALOG_CATALOG_H
#define SYNOD_SQLFRONT_CATALOG_CATALOG_H

#include "engine/engine.h"
#include "sqlfront/library/library.h"

struct catalog;      /* one core's part; all cores' parts share the version */
struct catalog_view; /* how one session (or one statement) sees it */

#define SCHEMA_PG_CATALOG 11
#define SCHEMA_PUBLIC     2200
#define ROLE_SYNOD        10 /* the superuser made at first start */
#define OID_USER_FIRST    16384
#define NAME_BYTES_MAX    63
#define COLUMNS_MAX       1600
#define KEY_COLUMNS_MAX   32

/* ---- relations ---- */

enum relation_kind {
    RELATION_TABLE = 'r',
    RELATION_VIEW = 'v',
    RELATION_INDEX = 'i',
    RELATION_SEQUENCE = 'S',
    RELATION_COMPOSITE = 'c',
};

struct column {
    const char *name;
    const struct type *type;
    int32_t modifier;   /* atttypmod */
    uint32_t collation; /* 0 when the type has none */
    int16_t number;     /* attnum, from 1 = its place in struct relation.columns + 1 */
    bool dropped;       /* keeps its place; name and type mean nothing */
    bool not_null;
    char identity;  /* 0, 'a' always, 'd' by default */
    char generated; /* 0, 's' stored */
    const char *
        default_text; /* pg_attrdef, as SQL; nextval() of an identity's sequence; NULL = none. Relations in it
                                 go by number ('16384'::regclass), so that renames do no harm */
    struct value missing; /* what rows written before the column was added have */
};

enum constraint_kind {
    CONSTRAINT_PRIMARY = 'p',
    CONSTRAINT_UNIQUE = 'u',
    CONSTRAINT_FOREIGN = 'f',
    CONSTRAINT_CHECK = 'c',
};

struct constraint {
    uint32_t oid;
    const char *name;
    char kind;
    bool deferrable, deferred, validated, no_inherit;
    uint32_t relation; /* that has it */
    uint32_t index;    /* that enforces a primary, unique, or the referenced side of a foreign one */
    uint32_t columns;
    const int16_t *column;  /* attnums */
    const char *check_text; /* SQL */
    uint32_t referenced;    /* relation */
    const int16_t *referenced_column;
    char on_update, on_delete, match; /* as pg_constraint: a r c n d; s f */
    const uint32_t *equality;         /* pfeqop: operator for each pair */
};

/* What was done with a table or an index on one core since the node started: counted, never undone. */
struct activity {
    uint64_t scans, read, fetched; /* of a table sequential ones, and rows they looked at; of an index all */
    uint64_t inserted, updated, deleted;
    uint64_t analyzed, analyzed_by_itself;
    int64_t analyzed_at, analyzed_by_itself_at; /* us since 2000; 0 = never */
    uint64_t changes_when_analyzed;             /* of all cores */
    uint64_t commits, rollbacks;                /* of a database */
};

struct relation {
    uint32_t oid;
    uint32_t schema;
    uint32_t owner;
    uint32_t row_type; /* oid of its row type; 0 for indexes */
    const char *name;
    const char *schema_name;
    char kind;        /* enum relation_kind */
    char persistence; /* p, u, t */
    uint64_t store;   /* number of the engine's table; 0 for views */
    uint32_t columns; /* dropped ones included */
    const struct column *column;
    const struct type **types;       /* of the columns, for row_layout_make */
    const struct row_layout *layout; /* NULL for views */

    /* How rows are keyed: by the primary key's columns, or by a hidden row id (8 bytes, big-endian). */
    uint32_t key_columns; /* 0 = row id */
    const int16_t *key_column;
    const struct key_part *key_part;

    uint32_t
        indexes; /* of a table: all but the one the rows themselves are keyed by are engine tables of their own */
    struct index **index;
    uint32_t constraints;
    const struct constraint *constraint;
    uint32_t referencing; /* foreign keys of other (or this) tables that point here */
    const struct constraint *referenced_by;
    const char *view_text; /* SELECT, as SQL */
    const char *acl_text;  /* pg_class.relacl as text, NULL = default */
    bool system;           /* of pg_catalog or information_schema */
    uint64_t version;      /* of the catalog when this was read */
    void *bound;           /* the binder's own: defaults, checks and generated columns bound once (bind.h) */
    void *learned;         /* the planner's own: statistics */
    struct activity *activity; /* NULL = not asked for yet: activity_of_relation() */
    struct scope *scope; /* owns the descriptor: what `bound` and `learned` may use, never freed singly */
};

/* An index. Its entries: key = its columns' key parts, followed by the row's key unless `unique`, `immediate` and no column is null;
 * row = the row's key as bytea, then the included columns (row_layout of `layout`). The primary key of a table that is keyed by it
 * is an index with `clustered`: no entries, the table's rows are the index. */
struct index {
    uint32_t oid;
    const char *name;
    uint64_t store; /* the engine's table; the table's own when clustered */
    bool unique, primary, clustered, immediate, nulls_distinct;
    bool valid; /* has an entry for every row: may be read */
    bool ready; /* who writes rows writes its entries, though some may be missing */
    bool newer; /* than the snapshot of catalog_session.older: its entries cannot be written either */
    uint32_t key_columns;
    uint32_t columns;                /* with included ones */
    const int16_t *column;           /* attnums; 0 = an expression, in order of expression_text */
    const struct key_part *key_part; /* key_columns of them */
    uint32_t expressions;
    const char *const *expression_text; /* SQL */
    const struct type *const *expression_type;
    const char *predicate_text; /* SQL; NULL = whole table */
    const uint32_t *operator_class;
    const uint32_t *collation; /* per key column */
    const struct row_layout *layout;
    uint32_t constraint;       /* oid of the constraint it enforces, 0 = none */
    void *bound;               /* the binder's: expressions and predicate */
    struct activity *activity; /* as a relation's */
};

/* Whether two rows never have the same key, but for nulls. A deferrable constraint's index has both until that is checked. */
static inline bool index_is_key(const struct index *index)
{
    return index->unique && index->immediate;
}

/* ---- procedures, operators, casts ---- */

struct procedure {
    uint32_t oid;
    const char *name;
    uint32_t schema;
    char kind;       /* f function, a aggregate, w window, p procedure */
    char volatility; /* i, s, v */
    bool strict;
    bool returns_set;
    uint32_t result;
    uint32_t arguments; /* input ones */
    const uint32_t *argument_types;
    uint32_t defaults;                /* how many of the last may be left out */
    const char *const *default_texts; /* of those, SQL */
    uint32_t variadic;                /* element type; 0 = not variadic */
    uint32_t outputs;                 /* OUT and TABLE columns; 0 = the result itself */
    const uint32_t *output_types;
    const char *const *output_names;
    const char *const *argument_names; /* NULL = none */
    /* All parameters, OUT and TABLE ones in their places; modes as in pg_proc ("ibovt"), NULL when all are IN. */
    uint32_t all;
    const char *all_modes;
    const uint32_t *all_types;
    const char *const *all_names;
    const char *source;              /* prosrc: our function's name, or the body of an SQL function */
    char language;                   /* i internal, s SQL, other: 0A000 when called */
    const struct function *function; /* of the four, what the library brings: else calling it is 0A000 */
    const struct kernel *kernel;
    const struct set_function *set_function;
    char aggregate_kind;  /* n normal, o ordered-set, h hypothetical */
    const char *acl_text; /* NULL: everybody may call it */
    uint32_t owner;
};

struct operator
{
    uint32_t oid;
    const char *name;
    uint32_t schema;
    uint32_t left, right; /* left 0: prefix */
    uint32_t result;
    uint32_t procedure;
    uint32_t commutator, negator;
    bool can_merge, can_hash;
    /* What it means for an ordered index and for joins: 0 none, else 1 <, 2 <=, 3 =, 4 >=, 5 > of the type's default btree
     * operator class (cross-type members included), as in pg_amop; 6 <> as negator of one that is 3. */
    uint8_t strategy;
};

struct cast {
    uint32_t source, target;
    uint32_t procedure; /* 0 for methods i and b */
    char context;       /* e explicit, a assignment, i implicit */
    char method;        /* f function, i through text, b same bytes */
};

/* ---- opening ---- */

/* Makes the first databases (synod, template1, template0), the role `synod` with the SCRAM verifier of `password`, and all of pg_catalog and
 * information_schema, in an engine that has no tables yet; nothing when that was done before. On core 0, before
 * catalog_open(). Yields. */
enum sqlstate catalog_bootstrap(struct world *world, struct engine *engine, const char *password, bool *made,
                                struct error *error);

/* Whether catalog_bootstrap() was done before. Yields. */
enum sqlstate catalog_exists(struct world *world, struct engine *engine, bool *exists, struct error *error);

/* State all cores of a node share: the version. The caller's zeroed memory of catalog_shared_size() bytes. */
size_t catalog_shared_size(void);
enum sqlstate catalog_open(struct world *world, struct scope *scope, struct engine *engine, void *shared,
                           struct catalog **catalog, struct error *error);

/* Around the commit of a transaction that changed the catalog: begin before transaction_commit(), end after it, be it that
 * it succeeded or failed. What is read in between is kept by nobody. Neither yields. */
void catalog_commit_begin(struct catalog *catalog);
void catalog_commit_end(struct catalog *catalog);

struct engine *catalog_engine(const struct catalog *catalog);

/* ---- views ---- */

/* What nextval() gave a session last, for currval() and lastval(): zeroed but for `scope`, which is the session's. */
struct sequence_value {
    uint32_t relation;
    int64_t value;
};
struct sequence_memory {
    struct scope *scope;
    uint32_t count, room;
    struct sequence_value *value;
    uint32_t last; /* relation; 0 = none yet */
};

/* SQL the catalog keeps, to be shown: an expression over `relation` (NULL = none), or a view's query. */
struct sql_kept {
    const char *text;
    const struct relation *relation;
    bool query;
    bool pretty;
};

struct catalog_session {
    uint32_t database;
    uint32_t role;         /* current_user */
    uint32_t session_role; /* session_user */
    const uint32_t *
        search_path; /* schemas in order, pg_catalog and pg_temp included where PostgreSQL would look there */
    uint32_t search_path_count;
    uint32_t temporary_schema; /* 0 = none yet */
    /* The transaction's snapshot (REPEATABLE READ) is older than the catalog: an index that was not valid then, or lay elsewhere,
     * is not valid for it, or newer. Such descriptors are kept by nobody. */
    bool older;
    struct sequence_memory *sequences; /* NULL: currval() and lastval() know nothing */
    /* Writes kept SQL as the search path and the pretty form want it, which takes the binder, above the catalog. NULL: it
     * is shown as it is kept. */
    enum sqlstate (*sql_show)(struct environment *environment, struct scope *scope,
                              const struct sql_kept *kept, const char **shown, struct error *error);
};

/* The name of the schema a type lies in; the scope's. */
enum sqlstate type_schema(struct catalog_view *view, struct scope *scope, uint32_t oid, const char **schema,
                          struct error *error);

/* A view for one statement: holds the present generation of descriptors until the scope ends. `transaction` may be NULL
 * for look-ups that must not depend on one (login); then a short one of its own is used. `changed`: the transaction has
 * changed the catalog. `session` is borrowed. */
enum sqlstate catalog_view_open(struct catalog *catalog, struct scope *scope, struct transaction *transaction,
                                const struct catalog_session *session, bool changed,
                                struct catalog_view **view, struct error *error);

/* From now on the view does nothing but hold its descriptors, and may outlive transaction and session. */
void catalog_view_rest(struct catalog_view *view);

/* The version the view reads: plans remember it and are thrown away when it has grown. */
uint64_t catalog_view_version(const struct catalog_view *view);
uint64_t catalog_version(const struct catalog *catalog);
/* Whether nobody has changed the catalog since the view was opened, or is about to have. */
bool catalog_view_stands(const struct catalog_view *view);
/* Another view of the same session and transaction, of the catalog as it is now. */
enum sqlstate catalog_view_renew(const struct catalog_view *view, struct scope *scope,
                                 struct catalog_view **renewed, struct error *error);
struct world *catalog_view_world(const struct catalog_view *view);
struct transaction *catalog_view_transaction(const struct catalog_view *view);
const struct catalog_session *catalog_view_session(const struct catalog_view *view);
struct catalog *catalog_view_catalog(const struct catalog_view *view);

/* Classes of object locks that SQL uses (struct lock_object). */
enum lock_class { LOCK_CLASS_RELATION = 1, LOCK_CLASS_ADVISORY = 2, LOCK_CLASS_OBJECT = 3 };

/* Locks a relation for the transaction of the view, as PostgreSQL does before a statement uses it (manual, 13.3.1): DDL
 * takes LOCK_ACCESS_EXCLUSIVE. Who waited should look up the relation again. 55P03, 40P01. Yields. */
enum sqlstate catalog_lock_relation(struct catalog_view *view, uint32_t relation, enum lock_mode mode,
                                    enum lock_policy policy, bool *waited, struct error *error);

/* The figures of a relation on this core, of a database where `relation` is 0. Lasts as long as the catalog. Does not yield. */
struct activity *catalog_activity(struct catalog *catalog, uint32_t database, uint32_t relation);

/* The sum of a relation's (a database's) figures over all cores. Yields. */
enum sqlstate catalog_activity_sum(struct catalog *catalog, struct scope *scope, uint32_t database,
                                   uint32_t relation, struct activity *sum, struct error *error);

/* The relation of the view's database (or of all databases) that is kept in that table of the engine; 0 = none. Yields. */
enum sqlstate catalog_relation_of_store(struct catalog_view *view, uint64_t store, uint32_t *oid,
                                        struct error *error);

/* "Not found" is *found NULL. `schema` NULL = along the search path. */
enum sqlstate catalog_relation(struct catalog_view *view, const char *schema, const char *name,
                               const struct relation **found, struct error *error);
enum sqlstate catalog_relation_by_oid(struct catalog_view *view, uint32_t oid, const struct relation **found,
                                      struct error *error);
/* Finds 'int', 'character varying' and the like are the grammar's business (it gives pg_catalog.int4). */
enum sqlstate catalog_type(struct catalog_view *view, const char *schema, const char *name,
                           const struct type **found, struct error *error);
enum sqlstate catalog_type_by_oid(struct catalog_view *view, uint32_t oid, const struct type **found,
                                  struct error *error);
/* The function for struct environment.type_find. */
const struct type *catalog_type_find(struct environment *environment, uint32_t oid);

/* All procedures (operators) of that name that the search path (or the schema) reaches, earlier schemas first, hidden ones
 * left out. The array is the scope's. */
enum sqlstate catalog_procedures(struct catalog_view *view, struct scope *scope, const char *schema,
                                 const char *name, const struct procedure *const **found, uint32_t *count,
                                 struct error *error);
enum sqlstate catalog_procedure_by_oid(struct catalog_view *view, uint32_t oid,
                                       const struct procedure **found, struct error *error);
enum sqlstate catalog_operators(struct catalog_view *view, struct scope *scope, const char *schema,
                                const char *name, const struct operator* const ** found, uint32_t *count,
                                struct error *error);
enum sqlstate catalog_operator_by_oid(struct catalog_view *view, uint32_t oid, const struct operator** found,
                                      struct error *error);
/* The cast from one type to another as pg_cast has it (array and text conversions are the binder's). NULL when none.
 * Built-in ones only: does not yield. */
const struct cast *catalog_cast(uint32_t source, uint32_t target);
/* The default btree equality (strategy 3) or other comparison of a type with itself; NULL when it has none. */
const struct operator* catalog_comparison(uint32_t type, int strategy);
/* (User types have no operators of their own: ask with TYPE_ANYENUM, TYPE_RECORD, TYPE_ANYARRAY.) */
/* A built-in procedure or operator by oid, without a view. NULL = none. */
const struct procedure *procedure_builtin(uint32_t oid);
const struct operator* operator_builtin(uint32_t oid);

enum sqlstate catalog_schema(struct catalog_view *view, const char *name, uint32_t *oid, struct error *error);
enum sqlstate catalog_schema_name(struct catalog_view *view, struct scope *scope, uint32_t oid,
                                  const char **name, struct error *error);
enum sqlstate catalog_database(struct catalog_view *view, const char *name, uint32_t *oid,
                               struct error *error);

struct role {
    uint32_t oid;
    const char *name;
    bool superuser, inherit, create_role, create_database, can_login, replication, bypass_rls;
    int32_t connection_limit;
    const char *password; /* SCRAM verifier, as in pg_authid; NULL = none */
    int64_t valid_until;  /* us since 2000; INT64_MAX = ever */
};
enum sqlstate catalog_role(struct catalog_view *view, const char *name, const struct role **found,
                           struct error *error);
enum sqlstate catalog_role_by_oid(struct catalog_view *view, uint32_t oid, const struct role **found,
                                  struct error *error);

/* Whether `member` is the role, or a member of it through others; superusers are members of all. Yields. */
enum sqlstate catalog_role_has(struct catalog_view *view, uint32_t member, uint32_t role, bool *has,
                               struct error *error);

/* Privileges, as bits; the answer for that role (0 = the view's), memberships and ownership considered. Fails with 42501 and
 * PostgreSQL's text ("permission denied for table t") when one is missing. `columns` (attnums, NULL = all of the
 * relation) are looked at for those that may be granted by column. */
enum privilege {
    PRIVILEGE_INSERT = 1,
    PRIVILEGE_SELECT = 2,
    PRIVILEGE_UPDATE = 4,
    PRIVILEGE_DELETE = 8,
    PRIVILEGE_TRUNCATE = 16,
    PRIVILEGE_REFERENCES = 32,
    PRIVILEGE_TRIGGER = 64,
    PRIVILEGE_EXECUTE = 128,
    PRIVILEGE_USAGE = 256,
    PRIVILEGE_CREATE = 512,
    PRIVILEGE_TEMPORARY = 1024,
    PRIVILEGE_CONNECT = 2048,
};
enum sqlstate catalog_check_relation(struct catalog_view *view, uint32_t role,
                                     const struct relation *relation, uint32_t privileges,
                                     const int16_t *columns, uint32_t count, struct error *error);
enum sqlstate catalog_check_schema(struct catalog_view *view, uint32_t schema, uint32_t privileges,
                                   struct error *error);
/* Whether the view's role may call it: 42501. */
enum sqlstate catalog_check_procedure(struct catalog_view *view, const struct procedure *procedure,
                                      struct error *error);
enum sqlstate catalog_check_owner(struct catalog_view *view, const struct relation *relation,
                                  struct error *error);

/* ---- sequences ---- */

/* nextval & co.: outside the transaction, durable in blocks so that a value is never given twice. */
enum sqlstate sequence_next(struct catalog_view *view, uint32_t relation, int64_t *value,
                            struct error *error);
enum sqlstate sequence_set(struct catalog_view *view, uint32_t relation, int64_t value, bool called,
                           struct error *error);

/* ---- functions that know the session ---- */

/* What the catalog brings (format_type, nextval, has_table_privilege, ...), and what the session above brings
 * (current_setting, pg_backend_pid, ...), if it is in the program: found by prosrc like the library's. */
extern const struct library catalog_library;
extern const struct library session_library __attribute__((weak));

/* The SCN of the last such change made from this core: snapshots of its sessions must not be older. */
uint64_t catalog_async_scn(const struct catalog *catalog);

/* ---- row ids ---- */

/* A new hidden row id for a table without primary key: unique, growing per core, never 0. Does not yield. */
uint64_t catalog_row_id(struct catalog *catalog);

#endif
