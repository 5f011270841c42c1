/* What the statements that define things share. */
#ifndef SYNOD_SQLFRONT_DEFINE_INSIDE_H
#define SYNOD_SQLFRONT_DEFINE_INSIDE_H

#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/text.h"
#include "base/world.h"
#include "sqlfront/bind/bind.h"
#include "sqlfront/catalog/names.h"
#include "sqlfront/catalog/privilege.h"
#include "sqlfront/catalog/tuple.h"
#include "sqlfront/define/define.h"
#include "sqlfront/parse/parse.h"
#include "sqlfront/parse/tree.h"

#include <string.h>

/* One statement at work. */
struct work {
    const struct define_request *request;
    struct define_result *result;
    struct scope *scope;
    struct tuple_access access;
    struct catalog_view *view; /* sees what was written up to the last work_look_again() */
    const struct catalog_session *session;
    const char *column; /* whose default is being bound, for its errors; NULL = none */
};

/* From here on reads and descriptors see what was written. Descriptors got before stay as they were. */
enum sqlstate work_look_again(struct work *work, struct error *error);

void work_notice(struct work *work, enum sqlstate state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The binder's request for this statement. */
struct binder_request work_binder(struct work *work);

/* ---- names ---- */

/* Relation kinds as messages name them. */
const char *relation_kind_word(char kind);

/* The schema a new thing goes to: the one named, or the first of the search path. Checks CREATE there. 3F000. */
enum sqlstate creation_schema(struct work *work, const char *schema, char persistence, uint32_t *oid,
                              struct error *error);
/* The same of a RangeVar: temporary tables go to the session's own schema, which is made if need be. */
enum sqlstate creation_schema_of(struct work *work, const RangeVar *name, uint32_t *oid, char *persistence,
                                 struct error *error);

/* Finds a relation for DDL and locks it: 42P01 when it is not there (unless `missing_ok`: *found NULL). */
enum sqlstate relation_named(struct work *work, const RangeVar *name, enum lock_mode mode, bool missing_ok,
                             const struct relation **found, struct error *error);
/* Likewise an index, whose table is locked in that mode, too; *found NULL when it is not there. Says nothing when it is no
 * index. */
enum sqlstate index_named(struct work *work, const RangeVar *name, enum lock_mode mode,
                          const struct relation **found, struct error *error);
/* The same; must be owned by the role and not a system relation. */
enum sqlstate relation_owned(struct work *work, const RangeVar *name, bool missing_ok,
                             const struct relation **found, struct error *error);
enum sqlstate relation_check_owned(struct work *work, const struct relation *relation, struct error *error);

/* "a" or "a.b" of a list of String nodes. */
void name_of_list(const List *list, const char **schema, const char **name);
RangeVar *range_var_of_list(struct scope *scope, const List *list);
/* A name for a new object: "t_a_key", cut to 63 bytes, with a number where it is taken in the schema. */
enum sqlstate name_choose(struct work *work, const char *first, const char *second, const char *label,
                          uint32_t schema, bool constraint, const char **name, struct error *error);

/* A role: name, CURRENT_USER, ...; 42704 when it is not there. */
enum sqlstate role_of_spec(struct work *work, const RoleSpec *spec, uint32_t *oid, struct error *error);
enum sqlstate role_name_of(struct work *work, uint32_t oid, const char **name, struct error *error);

enum sqlstate role_is_member(struct work *work, uint32_t role, uint32_t of, bool *is, struct error *error);
enum sqlstate members_drop(struct work *work, uint32_t role, const List *specs, bool admin_only,
                           struct error *error);

/* ---- dependencies (dependency.c) ---- */

/* A thing: its catalog, its number, and its column (0 = all of it). */
struct object {
    uint32_t class, oid;
    int32_t part;
};

/* `dependent` depends on `referenced`: 'n' normal, 'a' goes with it, 'i' is a part of it. Pinned things are not noted. */
enum sqlstate depend(struct work *work, struct object dependent, struct object referenced, char kind,
                     struct error *error);
/* On all relations, columns, types and functions an expression uses; `self` is noted with 'a'. */
enum sqlstate depend_on_expression(struct work *work, struct object dependent,
                                   const struct expression *expression, const struct relation *self,
                                   struct error *error);
enum sqlstate depend_on_query(struct work *work, struct object dependent, const struct query *query,
                              struct error *error);
/* Notes all roles a list grants to, but for the owner, who is noted before: they cannot be dropped. */
enum sqlstate depend_on_grantees(struct work *work, struct object object, const struct acl *acl,
                                 struct error *error);
enum sqlstate depend_on_owner(struct work *work, struct object object, uint32_t owner, struct error *error);
/* Another owner than before, and the access list as it is now. */
enum sqlstate depend_on_new_owner(struct work *work, struct object object, uint32_t owner,
                                  const struct acl *acl, struct error *error);

/* Drops things and, if `cascade`, all that depends on them: 2BP01 else. */
enum sqlstate objects_drop(struct work *work, const struct object *objects, uint32_t count, bool cascade,
                           struct error *error);
/* Whether objects_drop() would take one away without CASCADE. */
enum sqlstate object_may_go(struct work *work, struct object object, struct error *error);
/* "table t", "constraint c on table t", "view v": as messages name things. */
enum sqlstate object_shown(struct work *work, struct object object, const char **shown, struct error *error);
/* Takes away what an object depends on with this kind (0 = any). */
enum sqlstate depend_forget(struct work *work, struct object dependent, char kind, uint32_t class,
                            struct error *error);

/* ---- relations (table_make.c) ---- */

struct column_make {
    const char *name;
    const struct type *type;
    int32_t modifier;
    uint32_t collation;
    bool not_null;
    char identity, generated;
    const Node *default_tree; /* DEFAULT or GENERATED ... AS, not bound yet */
    const char *default_text; /* or as SQL already */
    bool of_index;            /* no dependency of its own: the index has them */
};

struct relation_make {
    const char *name;
    uint32_t schema;
    char kind, persistence;
    uint32_t owner;
    uint32_t columns;
    const struct column_make *column;
    uint32_t method;     /* of an index */
    bool no_file;        /* an index that is its table */
    uint32_t attributes; /* of an index: the caller writes them */
};

/* Writes pg_class, pg_attribute, pg_type (row and array type) and makes the engine's table where the kind has one. */
enum sqlstate relation_create(struct work *work, const struct relation_make *make, uint32_t *oid,
                              struct error *error);
enum sqlstate attribute_insert(struct work *work, uint32_t relation, int16_t number,
                               const struct column_make *column, struct error *error);
/* Row type and array type for a relation, enum or composite: *type is the new oid. */
struct type_make {
    const char *name;
    uint32_t schema, owner;
    char kind; /* c, e */
    uint32_t relation;
};
enum sqlstate type_create(struct work *work, const struct type_make *make, uint32_t *type,
                          struct error *error);

/* A default's text into pg_attrdef, with dependencies; NULL = take it away. */
enum sqlstate default_store(struct work *work, const struct relation *relation, int16_t number,
                            const char *text, const struct expression *expression, struct error *error);

/* An expression over a relation (NULL = none), bound, coerced and written back as SQL. */
enum sqlstate expression_store(struct work *work, const Node *tree, const struct relation *relation,
                               const struct type *type, int32_t modifier, const char **text,
                               struct expression **bound, struct error *error);

/* A bound expression over a relation (NULL = none) as SQL; `flags` as expression_deparse() takes them. */
enum sqlstate bound_text(struct catalog_view *view, struct scope *scope, const struct expression *bound,
                         const struct relation *relation, unsigned flags, const char **text,
                         struct error *error);

/* What is to be done with a table just made when its transaction, and those after it, commit; 42P16 when it is not temporary. */
enum sqlstate on_commit_note(struct work *work, const RangeVar *name, OnCommitAction action, uint32_t oid,
                             struct error *error);
/* Does it; tables that are gone leave the list. Yields. */
enum sqlstate on_commit_run(struct work *work, struct on_commit *tables, uint32_t *count,
                            struct error *error);

/* ---- constraints and indexes ---- */

/* Adds a constraint (any kind) to a table that is there; `validate`: look at the rows, too. */
enum sqlstate constraint_add(struct work *work, const struct relation *relation, const Constraint *constraint,
                             bool validate, struct error *error);

struct index_make {
    const char *name; /* NULL = choose */
    const char *method;
    const struct relation *relation;
    const List *parameters; /* of IndexElem */
    const List *including;
    const Node *predicate;
    const List *options;
    bool unique, primary, deferrable, deferred, nulls_not_distinct;
    bool concurrent; /* not valid yet: it is filled later, while others write */
    char constraint; /* kind of the constraint that it enforces; 0 = none */
};
/* What CREATE INDEX asks for, its table locked; make->relation is NULL when the index is there already and may be. */
enum sqlstate index_from_statement(struct work *work, const IndexStmt *statement, bool concurrent,
                                   struct index_make *make, struct error *error);
enum sqlstate index_create(struct work *work, const struct index_make *make, uint32_t *oid,
                           uint32_t *constraint, struct error *error);

/* The same, filled from the rows that are there; for a primary key they are keyed anew. */
enum sqlstate index_create_filled(struct work *work, const struct index_make *make, uint32_t *oid,
                                  uint32_t *constraint, struct error *error);
/* The row of pg_constraint with its dependencies; `check` is bound. */
enum sqlstate constraint_insert(struct work *work, const struct relation *relation,
                                const struct constraint *constraint, const struct expression *check,
                                uint32_t *oid, struct error *error);
/* 23514 when a row does not satisfy a CHECK; 23502 when a column holds nulls. */
enum sqlstate check_rows(struct work *work, const struct relation *relation, const char *name,
                         struct expression *condition, struct error *error);
enum sqlstate column_check_not_null(struct work *work, const struct relation *relation,
                                    const struct column *column, struct error *error);

/* ---- rows (rewrite.c) ---- */

/* Writes the rows of a table anew, as the present descriptor has them keyed: `before` is what they are now. */
enum sqlstate rows_rekey(struct work *work, const struct relation *before, struct error *error);

/* Fills an index from the rows of its table; 23505 when it is unique and they are not. */
enum sqlstate index_fill(struct work *work, const struct relation *relation, const struct index *index,
                         struct error *error);
/* Writes all rows of `from` anew as rows of `to` (another descriptor of the table: new store, other columns or key): column
 * c of `to` is `expression[c]` over `from`, or column c itself when NULL. Indexes of `to` are filled, too. */
enum sqlstate rows_rewrite(struct work *work, const struct relation *from, const struct relation *to,
                           struct expression *const *expression, struct error *error);
/* Whether a table holds any row. */
enum sqlstate relation_has_rows(struct work *work, const struct relation *relation, bool *any,
                                struct error *error);
/* Fails with 23514 / 23502 (`fail` sets the error) when a row does not satisfy a condition. */
enum sqlstate rows_check(struct work *work, const struct relation *relation, struct expression *condition,
                         enum sqlstate (*fail)(void *argument, struct error *error), void *argument,
                         struct error *error);
/* Every row of `relation` whose columns are not null must be found in the referenced table: 23503. */
enum sqlstate rows_check_references(struct work *work, const struct relation *relation,
                                    const struct relation *referenced, const struct constraint *constraint,
                                    struct error *error);
/* Gives a relation new, empty files: its own and its indexes'. */
enum sqlstate relation_drop_files(struct work *work, const struct relation *relation, struct error *error);
/* Writes a table anew after its rows in pg_catalog were changed; `before` is the descriptor from before that. */
enum sqlstate table_rewrite(struct work *work, const struct relation *before,
                            struct expression *const *expression, struct error *error);
/* Another, empty file for one relation; the old one stays. */
enum sqlstate file_new(struct work *work, uint32_t relation, struct error *error);
enum sqlstate relation_new_files(struct work *work, const struct relation *relation, struct error *error);

/* ---- sequences ---- */

struct sequence_make {
    const char *name;
    uint32_t schema;
    char persistence;
    const struct type *type;
    const List *options;
    uint32_t owner;
};
enum sqlstate sequence_create(struct work *work, const struct sequence_make *make, uint32_t *oid,
                              struct error *error);
enum sqlstate sequence_change(struct work *work, const struct relation *relation, const List *options,
                              struct error *error);
enum sqlstate sequence_owned_by(struct work *work, uint32_t sequence, uint32_t relation, int16_t number,
                                char kind, struct error *error);

/* nextval() of an identity column's sequence. */
enum sqlstate identity_expression(struct work *work, const struct relation *relation, int16_t number,
                                  struct expression **bound, struct error *error);

/* A new owner for anything that has one. */
enum sqlstate owner_change(struct work *work, struct object object, uint32_t owner, struct error *error);

/* The default btree operator class of a type: 42704 when it has none. */
enum sqlstate operator_class_default(struct work *work, const struct type *type, uint32_t *class,
                                     struct error *error);

/* An array that holds one value: pg_attribute.attmissingval. */
enum sqlstate array_of_one(struct scope *scope, const struct type *element, const struct value *value,
                           struct value *array, struct error *error);

/* ---- tuples ---- */

/* Writes a changed row of pg_class (pg_attribute): `column` becomes `value`. */
enum sqlstate class_set(struct work *work, uint32_t relation, const int *columns, const struct value *values,
                        uint32_t count, struct error *error);
enum sqlstate attribute_set(struct work *work, uint32_t relation, int16_t number, const int *columns,
                            const struct value *values, uint32_t count, struct error *error);
enum sqlstate tuple_set(struct work *work, uint32_t relation, uint32_t oid, const int *columns,
                        const struct value *values, uint32_t count, struct error *error);
/* A copy of a tuple's values, to be changed. */
struct value *tuple_copy(struct scope *scope, uint32_t relation, const struct tuple *tuple);
enum sqlstate object_missing(struct error *error, enum sqlstate state, const char *format, const char *name)
    __attribute__((format(printf, 3, 0)));
enum sqlstate not_supported(struct error *error, const char *what);

/* ---- statements ---- */

enum sqlstate define_create_table(struct work *work, const CreateStmt *statement, struct error *error);
enum sqlstate define_create_table_as(struct work *work, const CreateTableAsStmt *statement,
                                     struct error *error);
enum sqlstate define_index(struct work *work, const IndexStmt *statement, struct error *error);
enum sqlstate define_alter_table(struct work *work, const AlterTableStmt *statement, struct error *error);
enum sqlstate define_rename(struct work *work, const RenameStmt *statement, struct error *error);
enum sqlstate define_alter_schema_of(struct work *work, const AlterObjectSchemaStmt *statement,
                                     struct error *error);
enum sqlstate define_alter_owner(struct work *work, const AlterOwnerStmt *statement, struct error *error);
enum sqlstate define_reindex(struct work *work, const ReindexStmt *statement, struct error *error);
enum sqlstate define_drop(struct work *work, const DropStmt *statement, struct error *error);
enum sqlstate define_truncate(struct work *work, const TruncateStmt *statement, struct error *error);
enum sqlstate define_view(struct work *work, const ViewStmt *statement, struct error *error);
enum sqlstate define_create_sequence(struct work *work, const CreateSeqStmt *statement, struct error *error);
enum sqlstate define_alter_sequence(struct work *work, const AlterSeqStmt *statement, struct error *error);
enum sqlstate define_create_schema(struct work *work, const CreateSchemaStmt *statement, struct error *error);
enum sqlstate define_create_enum(struct work *work, const CreateEnumStmt *statement, struct error *error);
enum sqlstate define_alter_enum(struct work *work, const AlterEnumStmt *statement, struct error *error);
enum sqlstate define_composite(struct work *work, const CompositeTypeStmt *statement, struct error *error);
enum sqlstate define_comment(struct work *work, const CommentStmt *statement, struct error *error);
enum sqlstate define_create_role(struct work *work, const CreateRoleStmt *statement, struct error *error);
enum sqlstate define_reassign_owned(struct work *work, const ReassignOwnedStmt *statement,
                                    struct error *error);
enum sqlstate define_drop_owned(struct work *work, const DropOwnedStmt *statement, struct error *error);
enum sqlstate define_role_setting(struct work *work, const AlterRoleSetStmt *statement, struct error *error);
enum sqlstate define_database_setting(struct work *work, const AlterDatabaseSetStmt *statement,
                                      struct error *error);
enum sqlstate define_alter_role(struct work *work, const AlterRoleStmt *statement, struct error *error);
enum sqlstate define_drop_role(struct work *work, const DropRoleStmt *statement, struct error *error);
enum sqlstate define_grant_role(struct work *work, const GrantRoleStmt *statement, struct error *error);
enum sqlstate define_grant(struct work *work, const GrantStmt *statement, struct error *error);
enum sqlstate define_default_privileges(struct work *work, const AlterDefaultPrivilegesStmt *statement,
                                        struct error *error);
enum sqlstate define_create_database(struct work *work, const CreatedbStmt *statement, struct error *error);
enum sqlstate define_drop_database(struct work *work, const DropdbStmt *statement, struct error *error);
enum sqlstate define_create_function(struct work *work, const CreateFunctionStmt *statement,
                                     struct error *error);
enum sqlstate define_create_extension(struct work *work, const CreateExtensionStmt *statement,
                                      struct error *error);

#endif
