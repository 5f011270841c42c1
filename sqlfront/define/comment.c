/* COMMENT ON. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/drop.h"
#include "sqlfront/define/find.h"

static enum sqlstate description_set(struct work *work, uint32_t catalog, struct object object,
                                     const char *comment, struct error *error)
{
    struct tuple old;
    bool shared = catalog == PG_SHDESCRIPTION;
    const struct tuple_match matches[] = {
        {shared ? (int)PG_SHDESCRIPTION_OBJOID : (int)PG_DESCRIPTION_OBJOID, value_integer(object.oid)},
        {shared ? (int)PG_SHDESCRIPTION_CLASSOID : (int)PG_DESCRIPTION_CLASSOID, value_integer(object.class)},
        {PG_DESCRIPTION_OBJSUBID, value_integer(object.part)}};
    enum sqlstate failed =
        tuple_find(&work->access, work->scope, catalog, matches, shared ? 2 : 3, &old, error);
    if (!failed && old.values)
        failed = tuple_delete(&work->access, catalog, &old, error);
    if (failed || !comment || !*comment)
        return failed;
    struct value *values = tuple_make(work->scope, catalog);
    values[0] = value_integer(object.oid);
    values[1] = value_integer(object.class);
    if (!shared)
        values[PG_DESCRIPTION_OBJSUBID] = value_integer(object.part);
    values[shared ? (int)PG_SHDESCRIPTION_DESCRIPTION : (int)PG_DESCRIPTION_DESCRIPTION] =
        tuple_text(work->scope, comment);
    return tuple_insert(&work->access, catalog, values, error);
}

enum sqlstate define_comment(struct work *work, const CommentStmt *statement, struct error *error)
{
    struct object object;
    enum sqlstate failed = object_named(work, statement->objtype, statement->object, &object, error);
    if (failed)
        return failed;
    bool shared = object.class == PG_DATABASE || object.class == PG_AUTHID || object.class == PG_TABLESPACE;
    failed =
        description_set(work, shared ? PG_SHDESCRIPTION : PG_DESCRIPTION, object, statement->comment, error);
    return failed ? failed : work_look_again(work, error);
}
