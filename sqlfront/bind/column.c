/* Names to columns (parse_relation.c, the column part of parse_expr.c): which range a name belongs to, how far up, and what
 * PostgreSQL says when there is none or there are several. */
#include "sqlfront/algebra/walk.h"
#include "sqlfront/bind/binder.h"

#include <stdlib.h>

static const struct {
    const char *name;
    int32_t number;
    uint32_t type;
} system_columns[] = {
    {"ctid", SYSTEM_CTID, TYPE_TID}, {"xmin", SYSTEM_XMIN, TYPE_XID}, {"cmin", SYSTEM_CMIN, TYPE_CID},
    {"xmax", SYSTEM_XMAX, TYPE_XID}, {"cmax", SYSTEM_CMAX, TYPE_CID}, {"tableoid", SYSTEM_TABLEOID, TYPE_OID},
};

/* ---- what a column stands for, seen from a query further down ---- */

struct shifting {
    struct scope *scope;
    uint32_t up;
};

static struct expression *shift(void *argument, const struct expression *node, uint32_t depth);

struct into_aggregate {
    struct walk walk;
    const struct shifting *shifting;
};

static void shift_place(struct walk *walk, struct expression **place)
{
    const struct shifting *shifting = ((struct into_aggregate *)walk)->shifting;
    *place = expression_map(shifting->scope, *place, shift, (void *)(uintptr_t)shifting, true);
}

static void shift_nothing(struct walk *walk, struct query **place)
{
}

static struct expression *shift(void *argument, const struct expression *node, uint32_t depth)
{
    const struct shifting *shifting = argument;
    if ((node->kind == EXPRESSION_AGGREGATE || node->kind == EXPRESSION_GROUPING) && depth == 0) {
        struct expression *made = expression_copy_node(shifting->scope, node);
        struct into_aggregate into = {.walk = {.expression = shift_place, .query = shift_nothing},
                                      .shifting = shifting};
        made->level += shifting->up;
        walk_expression(&into.walk, made);
        return made;
    }
    if ((node->kind != EXPRESSION_COLUMN && node->kind != EXPRESSION_WHOLE_ROW &&
         node->kind != EXPRESSION_SYSTEM_COLUMN) ||
        node->level < depth)
        return NULL;
    struct expression *made = scope_copy(shifting->scope, node, sizeof *made);
    made->level += shifting->up;
    return made;
}

struct expression *column_at_level(struct binder *binder, const struct expression *template, uint32_t up,
                                   int32_t position)
{
    struct shifting shifting = {.scope = binder->scope, .up = up};
    struct expression *made = up ? expression_map(binder->scope, template, shift, &shifting, true)
                                 : scope_copy(binder->scope, template, sizeof *made);
    made->position = position;
    if (made->written && made->written->kind == EXPRESSION_COLUMN && up) {
        struct expression *written = scope_copy(binder->scope, made->written, sizeof *written);
        written->level += up;
        made->written = written;
    }
    return made;
}

void column_note_read(struct level *level, uint32_t up, uint32_t range, int32_t number)
{
    while (up--)
        level = level->above;
    struct range *read = &level->query->range[range];
    if ((read->kind != RANGE_RELATION && !read->from_view) || number <= 0)
        return;
    read->privileges |= PRIVILEGE_SELECT;
    if (read->columns_read)
        read->columns_read[number / 64] |= 1ULL << (number % 64);
}

static void note_read(struct level *level, uint32_t up, const struct expression *column)
{
    if (column->kind == EXPRESSION_COLUMN)
        column_note_read(level, up, column->range, column->number);
    for (uint32_t i = 0; i < column->arguments; i++)
        note_read(level, up, column->argument[i]);
}

/* ---- one space ---- */

static void *ambiguous(struct binder *binder, const char *name, int32_t position)
{
    return fail(binder, SQLSTATE_AMBIGUOUS_COLUMN, position, "column reference \"%s\" is ambiguous", name);
}

static struct expression *system_column(struct level *level, const struct space *space, const char *name,
                                        uint32_t up, int32_t position)
{
    struct level *owner = level;
    for (uint32_t i = 0; i < up; i++)
        owner = owner->above;
    if (owner->query->range[space->range].kind != RANGE_RELATION)
        return NULL;
    for (size_t i = 0; i < sizeof system_columns / sizeof system_columns[0]; i++) {
        if (strcmp(system_columns[i].name, name) != 0)
            continue;
        struct expression *made =
            make(level->binder, EXPRESSION_SYSTEM_COLUMN, builtin(system_columns[i].type), position);
        made->range = space->range;
        made->level = up;
        made->number = system_columns[i].number;
        return made;
    }
    return NULL;
}

/* The column of that name in the space; NULL when it has none, or (with an error) several. */
static struct expression *scan_space(struct level *level, const struct space *space, const char *name,
                                     uint32_t up, int32_t position, bool *failed)
{
    const struct expression *found = NULL;
    uint32_t index = 0;
    *failed = false;
    for (uint32_t i = 0; i < space->columns; i++) {
        if (!space->names[i] || strcmp(space->names[i], name) != 0)
            continue;
        if (found) {
            *failed = true;
            return ambiguous(level->binder, name, position);
        }
        found = space->column[i];
        index = i;
    }
    if (found && level->place == PLACE_GENERATED && found->kind == EXPRESSION_COLUMN && space->relation &&
        space->relation->column[found->number - 1].generated) {
        *failed = true;
        fail(level->binder, SQLSTATE_INVALID_OBJECT_DEFINITION, position,
             "cannot use generated column \"%s\" in column generation expression", name);
        fail_detail(level->binder, "A generated column cannot reference another generated column.");
        return NULL;
    }
    if (found) {
        note_read(level, up, found);
        if (space->through)
            view_note_read(space->through, index);
        return column_at_level(level->binder, found, up, position);
    }
    return system_column(level, space, name, up, position);
}

struct expression *space_column(struct level *level, const struct space *space, const char *name, uint32_t up,
                                int32_t position)
{
    bool failed;
    struct expression *found = scan_space(level, space, name, up, position, &failed);
    if (found || failed)
        return found;
    return NULL;
}

/* ---- unqualified names ---- */

static void *lateral_refused(struct binder *binder, const char *name, int32_t position)
{
    fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, position,
         "invalid reference to FROM-clause entry for table \"%s\"", name);
    fail_detail(binder, "The combining JOIN type must be INNER or LEFT for a LATERAL reference.");
    return NULL;
}

bool column_find(struct level *level, const char *name, int32_t position, struct expression **found)
{
    uint32_t up = 0;
    *found = NULL;
    for (struct level *at = level; at; at = at->above, up++) {
        for (uint32_t i = 0; i < at->spaces; i++) {
            const struct space *space = at->space[i];
            if (!space->columns_visible || (space->lateral_only && !at->lateral_active))
                continue;
            bool failed;
            struct expression *one = scan_space(level, space, name, up, position, &failed);
            if (failed)
                return false;
            if (!one)
                continue;
            if (*found) {
                ambiguous(level->binder, name, position);
                return false;
            }
            if (space->lateral_only && !space->lateral_ok) {
                lateral_refused(level->binder, space->name ? space->name : name, position);
                return false;
            }
            *found = one;
        }
        if (*found)
            return true;
    }
    return true;
}

/* ---- qualified names ---- */

static bool space_matches(struct level *level, const struct space *space, uint32_t relation, const char *name)
{
    if (!space->name_visible || !space->name || strcmp(space->name, name) != 0)
        return false;
    if (!relation)
        return true;
    const struct range *range = &level->query->range[space->range];
    return range->kind == RANGE_RELATION && !range->alias && space->relation &&
           space->relation->oid == relation;
}

bool space_find(struct level *level, const char *schema, const char *name, int32_t position,
                struct space **found, uint32_t *up)
{
    uint32_t relation = 0;
    *found = NULL;
    *up = 0;
    if (schema) {
        const struct relation *named = NULL;
        if (catalog_relation(level->binder->view, schema, name, &named, level->binder->error))
            return false;
        if (!named)
            return true;
        relation = named->oid;
    }
    for (struct level *at = level; at; at = at->above, ++*up) {
        for (uint32_t i = 0; i < at->spaces; i++) {
            struct space *space = at->space[i];
            if ((space->lateral_only && !at->lateral_active) || !space_matches(at, space, relation, name))
                continue;
            if (*found) {
                fail(level->binder, SQLSTATE_AMBIGUOUS_ALIAS, position, "table reference \"%s\" is ambiguous",
                     name);
                return false;
            }
            if (space->lateral_only && !space->lateral_ok) {
                lateral_refused(level->binder, name, position);
                return false;
            }
            *found = space;
        }
        if (*found)
            return true;
    }
    return true;
}

void *fail_missing_range(struct level *level, const char *schema, const char *name, int32_t position)
{
    struct binder *binder = level->binder;
    /* Ranges that exist but may not be named here. */
    for (struct level *at = level; at; at = at->above)
        for (uint32_t i = 0; i < at->query->ranges; i++) {
            const struct range *range = &at->query->range[i];
            if (schema || !range->name)
                continue;
            if (range->relation && range->alias && strcmp(range->relation->name, name) == 0 &&
                strcmp(range->alias, name) != 0) {
                fail(binder, SQLSTATE_UNDEFINED_TABLE, position,
                     "invalid reference to FROM-clause entry for table \"%s\"", name);
                bool reachable = false;
                for (uint32_t k = 0; k < at->spaces; k++)
                    reachable |= at->space[k]->range == i && at->space[k]->name_visible &&
                                 (!at->space[k]->lateral_only || at->lateral_active);
                if (reachable)
                    fail_hint(binder, "Perhaps you meant to reference the table alias \"%s\".", range->alias);
                return NULL;
            }
            if (strcmp(range->name, name) == 0) {
                fail(binder, SQLSTATE_UNDEFINED_TABLE, position,
                     "invalid reference to FROM-clause entry for table \"%s\"", name);
                fail_hint(
                    binder,
                    "There is an entry for table \"%s\", but it cannot be referenced from this part of the "
                    "query.",
                    name);
                return NULL;
            }
        }
    return fail(binder, SQLSTATE_UNDEFINED_TABLE, position, "missing FROM-clause entry for table \"%s\"",
                name);
}

/* ---- whole rows ---- */

struct expression *space_whole(struct level *level, const struct space *space, uint32_t up, int32_t position)
{
    struct binder *binder = level->binder;
    struct level *owner = level;
    for (uint32_t i = 0; i < up; i++)
        owner = owner->above;
    const struct range *range = &owner->query->range[space->range];
    if (range->kind == RANGE_JOIN) { /* has no rows of its own: ROW(...) of its columns */
        const struct type **types = memory(binder, (space->columns + 1) * sizeof *types);
        struct expression *made = make(binder, EXPRESSION_ROW, builtin(TYPE_RECORD), position);
        for (uint32_t i = 0; i < space->columns; i++) {
            types[i] = space->column[i]->type;
            note_read(level, up, space->column[i]);
            argument_add(binder, made, column_at_level(binder, space->column[i], up, position));
        }
        made->type = record_type(binder, space->columns, space->names, types, NULL);
        return made;
    }
    /* A function that gives one scalar column: its alias is the value. */
    if (range->kind == RANGE_FUNCTION && range->columns == 1 && range->functions == 1 && !range->ordinality &&
        !type_is_composite(range->function[0]->type))
        return column_at_level(binder, space->column[0], up, position);
    struct expression *made = make(binder, EXPRESSION_WHOLE_ROW, builtin(TYPE_RECORD), position);
    made->range = space->range;
    made->level = up;
    if (range->kind == RANGE_RELATION && range->relation->row_type) {
        if (!(made->type = type_by_oid(binder, range->relation->row_type)))
            return NULL;
        for (uint32_t i = 0; i < range->columns; i++)
            if (range->column[i].name)
                column_note_read(level, up, space->range, (int32_t)i + 1);
        return made;
    }
    if (range->kind == RANGE_FUNCTION && range->functions == 1 && !range->ordinality &&
        range->function[0]->type->type_type == 'c') {
        made->type = range->function[0]->type;
        return made;
    }
    if (range->from_view && range->relation && range->relation->row_type) {
        made->type = type_by_oid(binder, range->relation->row_type);
        return made->type ? made : NULL;
    }
    const struct type **types = memory(binder, (range->columns + 1) * sizeof *types);
    int32_t *modifiers = memory(binder, (range->columns + 1) * sizeof *modifiers);
    for (uint32_t i = 0; i < range->columns; i++) {
        types[i] = range->column[i].type;
        modifiers[i] = range->column[i].modifier;
    }
    made->type = record_type(binder, range->columns, space->names, types, modifiers);
    return made;
}

/* ---- fields of records ---- */

struct expression *field_of(struct level *level, struct expression *record, const char *name,
                            int32_t position, bool *missing)
{
    struct binder *binder = level->binder;
    *missing = true;
    if (record->kind == EXPRESSION_WHOLE_ROW) {
        struct level *owner = level;
        for (uint32_t i = 0; i < record->level; i++)
            owner = owner->above;
        struct space *space = owner->range_space ? owner->range_space[record->range] : NULL;
        bool failed = false;
        struct expression *column =
            space ? scan_space(level, space, name, record->level, position, &failed) : NULL;
        *missing = !column && !failed;
        if (space)
            return column;
    }
    if (!type_is_composite(record->type))
        return NULL;
    for (uint32_t i = 0; record->type->fields && i < record->type->field_count; i++) {
        const struct row_field *field = &record->type->fields[i];
        if (!field->name || strcmp(field->name, name) != 0)
            continue;
        const struct type *type = type_by_oid(binder, field->type);
        *missing = false;
        if (!type)
            return NULL;
        struct expression *made = make(binder, EXPRESSION_FIELD, type, position);
        made->number = (int32_t)i + 1;
        made->modifier = field->modifier;
        argument_add(binder, made, record);
        return made;
    }
    return NULL;
}

/* ---- references ---- */

/* PostgreSQL offers what differs by few letters (updateFuzzyAttrMatchState: Levenshtein, at most 3, and at most half the name). */
static int letters_apart(const char *a, const char *b, int limit)
{
    int size_a = (int)strlen(a), size_b = (int)strlen(b);
    int row[NAME_BYTES_MAX + 2];
    if (size_a > NAME_BYTES_MAX || size_b > NAME_BYTES_MAX || abs(size_a - size_b) > limit)
        return limit + 1;
    for (int j = 0; j <= size_b; j++)
        row[j] = j;
    for (int i = 1; i <= size_a; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= size_b; j++) {
            int above = row[j];
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[size_b];
}

#define LETTERS_APART_MAX 3

struct guess {
    const char *table[2], *column[2];
    int distance;
    uint32_t count;
    const char *hidden_table; /* where the exact column is, but not reachable */
    bool exact_hidden;
};

static void guess_add(struct guess *guess, const char *table, const char *column, int distance)
{
    if (distance < guess->distance) {
        guess->distance = distance;
        guess->count = 0;
    } else if (distance > guess->distance) {
        return;
    }
    if (guess->count < 2) {
        guess->table[guess->count] = table;
        guess->column[guess->count] = column;
    }
    guess->count++;
}

static void guess_in_range(struct guess *guess, const struct range *range, const char *table,
                           const char *name)
{
    if (range->kind == RANGE_JOIN || !range->name)
        return;
    int penalty = 0;
    if (table) {
        penalty = letters_apart(table, range->name, LETTERS_APART_MAX);
        if (penalty > LETTERS_APART_MAX)
            return;
    }
    for (uint32_t i = 0; i < range->columns; i++) {
        const char *column = range->column[i].name;
        if (!column)
            continue;
        int distance = letters_apart(name, column, LETTERS_APART_MAX) + penalty;
        if (strcmp(name, column) == 0 && !penalty) {
            guess->exact_hidden = true;
            guess->hidden_table = range->name;
        } else if (distance <= LETTERS_APART_MAX && distance <= (int)strlen(name) / 2) {
            guess_add(guess, range->name, column, distance);
        }
    }
}

static void *fail_missing_column(struct level *level, const char *table, const char *name, int32_t position)
{
    struct binder *binder = level->binder;
    struct guess guess = {.distance = LETTERS_APART_MAX + 1};
    for (struct level *at = level; at; at = at->above)
        for (uint32_t i = 0; i < at->query->ranges; i++)
            guess_in_range(&guess, &at->query->range[i], table, name);
    if (table)
        fail(binder, SQLSTATE_UNDEFINED_COLUMN, position, "column %s.%s does not exist", table, name);
    else
        fail(binder, SQLSTATE_UNDEFINED_COLUMN, position, "column \"%s\" does not exist", name);
    if (guess.exact_hidden)
        fail_hint(
            binder,
            "There is a column named \"%s\" in table \"%s\", but it cannot be referenced from this part of "
            "the query.",
            name, guess.hidden_table);
    else if (guess.count == 1)
        fail_hint(binder, "Perhaps you meant to reference the column \"%s.%s\".", guess.table[0],
                  guess.column[0]);
    else if (guess.count == 2)
        fail_hint(binder, "Perhaps you meant to reference the column \"%s.%s\" or the column \"%s.%s\".",
                  guess.table[0], guess.column[0], guess.table[1], guess.column[1]);
    return NULL;
}

/* x: an argument of the SQL function whose body this is. */
static struct expression *body_argument(struct binder *binder, const char *name)
{
    const struct procedure *procedure = binder->body_of;
    for (uint32_t i = 0; procedure && procedure->argument_names && i < procedure->arguments; i++)
        if (procedure->argument_names[i] && strcmp(procedure->argument_names[i], name) == 0)
            return binder->body_arguments[i];
    return NULL;
}

static struct expression *bind_one_name(struct level *level, const char *name, int32_t position)
{
    struct binder *binder = level->binder;
    struct expression *found;
    if (!column_find(level, name, position, &found))
        return NULL;
    if (found)
        return found;
    struct space *space;
    uint32_t up;
    if (!space_find(level, NULL, name, position, &space, &up))
        return NULL;
    if (space)
        return space_whole(level, space, up, position);
    if (binder->body_of && body_argument(binder, name)) {
        struct level *outermost = level;
        uint32_t depth = 0;
        for (; outermost->above; outermost = outermost->above)
            depth++;
        return column_at_level(binder, body_argument(binder, name), depth, position);
    }
    return fail_missing_column(level, NULL, name, position);
}

static struct expression *bind_qualified(struct level *level, const char *schema, const char *table,
                                         const char *name, int32_t position)
{
    struct binder *binder = level->binder;
    struct space *space;
    uint32_t up;
    if (!space_find(level, schema, table, position, &space, &up))
        return NULL;
    if (!space) {
        if (!schema && binder->body_of && strcmp(binder->body_of->name, table) == 0 &&
            body_argument(binder, name))
            return body_argument(binder, name);
        return fail_missing_range(level, schema, table, position);
    }
    bool failed;
    struct expression *found = scan_space(level, space, name, up, position, &failed);
    if (found || failed)
        return found;
    /* t.f may be f(t). */
    struct expression *whole = space_whole(level, space, up, position);
    if (!whole)
        return NULL;
    String part = {.type = T_String, .sval = (char *)(uintptr_t)name};
    ListCell cell = {.ptr_value = &part};
    List list = {.type = T_List, .length = 1, .max_length = 1, .elements = &cell};
    struct expression *called = function_apply(level, &list, &whole, 1, NULL, false, position, true);
    if (called)
        return called;
    if (binder->error->state != SQLSTATE_UNDEFINED_FUNCTION)
        return NULL;
    error_clear(binder->error);
    return fail_missing_column(level, table, name, position);
}

struct expression *column_bind(struct level *level, const ColumnRef *reference)
{
    struct binder *binder = level->binder;
    const List *fields = reference->fields;
    int32_t position = reference->location;
    if (level->place == PLACE_DEFAULT || level->place == PLACE_FUNCTION_DEFAULT)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position,
                    "cannot use column reference in DEFAULT expression");
    if (node_is_star((const Node *)reference)) { /* t.* where one value is wanted: the whole row */
        struct space *space = NULL;
        uint32_t up = 0;
        int length = list_length(fields);
        if (length < 2)
            return fail(binder, SQLSTATE_SYNTAX_ERROR, position,
                        "row expansion via \"*\" is not supported here");
        const char *name = node_string(list_nth(fields, length - 2));
        const char *schema = length > 2 ? node_string(list_nth(fields, length - 3)) : NULL;
        if (!space_find(level, schema, name, position, &space, &up))
            return NULL;
        return space ? space_whole(level, space, up, position)
                     : fail_missing_range(level, schema, name, position);
    }
    switch (list_length(fields)) {
    case 1:
        return bind_one_name(level, node_string(linitial(fields)), position);
    case 2:
        return bind_qualified(level, NULL, node_string(linitial(fields)), node_string(lsecond(fields)),
                              position);
    case 3:
        return bind_qualified(level, node_string(linitial(fields)), node_string(lsecond(fields)),
                              node_string(lthird(fields)), position);
    case 4: {
        uint32_t database = 0;
        if (catalog_database(binder->view, node_string(linitial(fields)), &database, binder->error))
            return NULL;
        if (database != catalog_view_session(binder->view)->database)
            return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position,
                        "cross-database references are not implemented: %s", names_text(binder, fields));
        return bind_qualified(level, node_string(lsecond(fields)), node_string(lthird(fields)),
                              node_string(lfourth(fields)), position);
    }
    default:
        return fail(binder, SQLSTATE_SYNTAX_ERROR, position,
                    "improper qualified name (too many dotted names): %s", names_text(binder, fields));
    }
}
