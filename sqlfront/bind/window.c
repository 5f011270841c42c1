/* Windows: WINDOW clauses, OVER (...), frames. */
#include "sqlfront/bind/binder.h"

static bool window_allowed(struct level *level, int32_t position)
{
    switch (level->place) {
    case PLACE_OTHER:
    case PLACE_SELECT_TARGET:
    case PLACE_ORDER_BY:
    case PLACE_DISTINCT_ON:
        return true;
    default:
        fail(level->binder, SQLSTATE_WINDOWING_ERROR, position, "window functions are not allowed in %s",
             place_name(level->place));
        return false;
    }
}

static struct window *window_named(struct level *level, const char *name)
{
    struct query *query = level->query;
    for (uint32_t i = 0; i < query->windows; i++)
        if (query->window[i].name && strcmp(query->window[i].name, name) == 0)
            return &query->window[i];
    return NULL;
}

static bool keys_bind(struct level *level, const List *list, bool partition, struct sort_key **keys,
                      uint32_t *count)
{
    struct binder *binder = level->binder;
    const ListCell *cell;
    foreach(cell, list)
    {
        const SortBy *by = partition ? NULL : lfirst(cell);
        struct expression *bound = expression_bind(level, by ? by->node : lfirst(cell),
                                                   partition ? PLACE_WINDOW_PARTITION : PLACE_WINDOW_ORDER);
        if (bound && expression_is_unknown(bound))
            bound = coerce(level, bound, builtin(TYPE_TEXT), -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1);
        if (!bound)
            return false;
        struct sort_key key = {.less = type_comparison(binder, bound->type, 1),
                               .equality = type_comparison(binder, bound->type, 3)};
        if (partition && !key.equality) {
            fail(binder, SQLSTATE_UNDEFINED_FUNCTION, expression_position(bound),
                 "could not identify an equality operator for type %s", type_name(binder, bound->type));
            return false;
        }
        if (!partition && !sort_key_of(binder, bound, by, expression_position(bound), &key))
            return false;
        key.expression = bound;
        *keys = list_grow(binder, *keys, *count, sizeof **keys);
        (*keys)[(*count)++] = key;
    }
    return true;
}

/* ---- frames ---- */

/* RANGE BETWEEN x PRECEDING: the function that says whether a row is within x of another (in_range). */
static struct expression *range_offset(struct level *level, const struct window *window,
                                       struct expression *offset, const struct procedure **in_range)
{
    struct binder *binder = level->binder;
    const struct type *order = window->order[0].expression->type;
    const struct procedure *const *found;
    uint32_t founds, matches = 0;
    uint32_t order_oid = order->oid;
    *in_range = NULL;
    if (catalog_procedures(binder->view, binder->scope, "pg_catalog", "in_range", &found, &founds,
                           binder->error))
        return NULL;
    for (uint32_t i = 0; i < founds; i++) {
        if (found[i]->arguments != 5 || found[i]->argument_types[0] != order_oid)
            continue;
        matches++;
        uint32_t wanted = found[i]->argument_types[2];
        bool exact = wanted == offset->type->oid || (expression_is_unknown(offset) && wanted == order_oid);
        if (exact || !*in_range)
            *in_range = found[i];
        if (exact) {
            matches = 1;
            break;
        }
        if (!can_coerce(binder, 1, &offset->type->oid, &wanted, COERCE_IMPLICIT_ONLY)) {
            matches--;
            *in_range = matches ? *in_range : NULL;
        }
    }
    bool any = false;
    for (uint32_t i = 0; i < founds; i++)
        any |= found[i]->arguments == 5 && found[i]->argument_types[0] == order_oid;
    if (!any)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, expression_position(offset),
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s",
                    type_name(binder, order));
    if (!*in_range) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, expression_position(offset),
             "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s",
             type_name(binder, order), type_name(binder, offset->type));
        fail_hint(binder, "Cast the offset value to an appropriate type.");
        return NULL;
    }
    if (matches > 1) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, expression_position(offset),
             "RANGE with offset PRECEDING/FOLLOWING has multiple interpretations for column type %s and "
             "offset "
             "type %s",
             type_name(binder, order), type_name(binder, offset->type));
        fail_hint(binder, "Cast the offset value to the exact intended type.");
        return NULL;
    }
    return coerce_to_specific(level, offset, (*in_range)->argument_types[2], "RANGE");
}

static bool frame_offset(struct level *level, struct window *window, const Node *node,
                         struct expression **bound, const struct procedure **in_range)
{
    struct binder *binder = level->binder;
    const char *name = window->mode == FRAME_RANGE ? "RANGE" : window->mode == FRAME_ROWS ? "ROWS" : "GROUPS";
    if (!node)
        return true;
    enum place place = window->mode == FRAME_RANGE  ? PLACE_WINDOW_FRAME_RANGE
                       : window->mode == FRAME_ROWS ? PLACE_WINDOW_FRAME_ROWS
                                                    : PLACE_WINDOW_FRAME_GROUPS;
    if (!(*bound = expression_bind(level, node, place)))
        return false;
    int32_t position = expression_position(*bound);
    *bound = window->mode == FRAME_RANGE ? range_offset(level, window, *bound, in_range)
                                         : coerce_to_specific(level, *bound, TYPE_INT8, name);
    if (!*bound)
        return false;
    if (expression_facts(*bound) & FACT_COLUMN) {
        fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, position, "argument of %s must not contain variables",
             name);
        return false;
    }
    return true;
}

static uint8_t bound_of(int options, bool start)
{
    static const struct {
        int start, end;
        uint8_t bound;
    } bounds[] = {
        {FRAMEOPTION_START_UNBOUNDED_PRECEDING, FRAMEOPTION_END_UNBOUNDED_PRECEDING,
         BOUND_UNBOUNDED_PRECEDING},
        {FRAMEOPTION_START_OFFSET_PRECEDING, FRAMEOPTION_END_OFFSET_PRECEDING, BOUND_PRECEDING},
        {FRAMEOPTION_START_CURRENT_ROW, FRAMEOPTION_END_CURRENT_ROW, BOUND_CURRENT},
        {FRAMEOPTION_START_OFFSET_FOLLOWING, FRAMEOPTION_END_OFFSET_FOLLOWING, BOUND_FOLLOWING},
        {FRAMEOPTION_START_UNBOUNDED_FOLLOWING, FRAMEOPTION_END_UNBOUNDED_FOLLOWING,
         BOUND_UNBOUNDED_FOLLOWING},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        if (options & (start ? bounds[i].start : bounds[i].end))
            return bounds[i].bound;
    return BOUND_CURRENT;
}

static bool frame_bind(struct level *level, struct window *window, const WindowDef *definition)
{
    struct binder *binder = level->binder;
    int options = definition->frameOptions;
    window->mode = options & FRAMEOPTION_ROWS     ? FRAME_ROWS
                   : options & FRAMEOPTION_GROUPS ? FRAME_GROUPS
                                                  : FRAME_RANGE;
    window->from = bound_of(options, true);
    window->to = bound_of(options, false);
    window->exclusion = options & FRAMEOPTION_EXCLUDE_CURRENT_ROW ? EXCLUDE_CURRENT
                        : options & FRAMEOPTION_EXCLUDE_GROUP     ? EXCLUDE_GROUP
                        : options & FRAMEOPTION_EXCLUDE_TIES      ? EXCLUDE_TIES
                                                                  : EXCLUDE_NONE;
    window->frame_given = options & FRAMEOPTION_NONDEFAULT;
    window->frame_between = options & FRAMEOPTION_BETWEEN;
    bool offsets = options & (FRAMEOPTION_START_OFFSET | FRAMEOPTION_END_OFFSET);
    if (window->mode == FRAME_RANGE && offsets && window->orders != 1) {
        fail(binder, SQLSTATE_WINDOWING_ERROR, definition->location,
             "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column");
        return false;
    }
    if (window->mode == FRAME_GROUPS && window->orders == 0) {
        fail(binder, SQLSTATE_WINDOWING_ERROR, definition->location,
             "GROUPS mode requires an ORDER BY clause");
        return false;
    }
    return frame_offset(level, window, definition->startOffset, &window->from_offset,
                        &window->in_range_from) &&
           frame_offset(level, window, definition->endOffset, &window->to_offset, &window->in_range_to);
}

/* ---- definitions ---- */

static bool inherit(struct level *level, struct window *window, const WindowDef *definition)
{
    struct binder *binder = level->binder;
    const struct window *from = window_named(level, definition->refname);
    const char *name = definition->refname;
    if (!from) {
        fail(binder, SQLSTATE_UNDEFINED_OBJECT, definition->location, "window \"%s\" does not exist", name);
        return false;
    }
    if (definition->partitionClause) {
        fail(binder, SQLSTATE_WINDOWING_ERROR, definition->location,
             "cannot override PARTITION BY clause of window \"%s\"", name);
        return false;
    }
    if (definition->orderClause && from->orders) {
        fail(binder, SQLSTATE_WINDOWING_ERROR, definition->location,
             "cannot override ORDER BY clause of window \"%s\"", name);
        return false;
    }
    if (from->frame_given) {
        fail(binder, SQLSTATE_WINDOWING_ERROR, definition->location,
             "cannot copy window \"%s\" because it has a frame clause", name);
        if (!definition->orderClause && definition->frameOptions == FRAMEOPTION_DEFAULTS)
            fail_hint(binder, "Omit the parentheses in this OVER clause.");
        return false;
    }
    window->base = from->name;
    window->base_orders = !definition->orderClause;
    window->partition = from->partition;
    window->partitions = from->partitions;
    if (!definition->orderClause) {
        window->order = from->order;
        window->orders = from->orders;
    }
    return true;
}

static bool window_make(struct level *level, const WindowDef *definition, struct window *window)
{
    *window = (struct window){0};
    if (definition->refname && !inherit(level, window, definition))
        return false;
    struct sort_key *order = NULL;
    uint32_t orders = 0;
    if (!keys_bind(level, definition->orderClause, false, &order, &orders))
        return false;
    if (orders) {
        window->order = order;
        window->orders = orders;
    }
    if (!definition->refname &&
        !keys_bind(level, definition->partitionClause, true, &window->partition, &window->partitions))
        return false;
    return frame_bind(level, window, definition);
}

static bool same_keys(const struct sort_key *a, uint32_t a_count, const struct sort_key *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (a[i].descending != b[i].descending || a[i].nulls_first != b[i].nulls_first ||
            a[i].less != b[i].less || !expression_equal(a[i].expression, b[i].expression))
            return false;
    return true;
}

static bool same_window(const struct window *a, const struct window *b)
{
    return a->mode == b->mode && a->from == b->from && a->to == b->to && a->exclusion == b->exclusion &&
           same_keys(a->partition, a->partitions, b->partition, b->partitions) &&
           same_keys(a->order, a->orders, b->order, b->orders) &&
           expression_equal(a->from_offset, b->from_offset) && expression_equal(a->to_offset, b->to_offset);
}

static uint32_t window_add(struct level *level, const struct window *window)
{
    struct query *query = level->query;
    query->window = list_grow(level->binder, query->window, query->windows, sizeof *query->window);
    query->window[query->windows] = *window;
    return query->windows++;
}

bool windows_bind(struct level *level, const List *definitions)
{
    const ListCell *cell;
    foreach(cell, definitions)
    {
        const WindowDef *definition = lfirst(cell);
        struct window window;
        if (window_named(level, definition->name)) {
            fail(level->binder, SQLSTATE_WINDOWING_ERROR, definition->location,
                 "window \"%s\" is already defined", definition->name);
            return false;
        }
        if (!window_make(level, definition, &window))
            return false;
        window.name = scope_copy_text(level->binder->scope, definition->name);
        window_add(level, &window);
    }
    return true;
}

bool window_find(struct level *level, const WindowDef *definition, struct expression *call)
{
    struct binder *binder = level->binder;
    struct query *query = level->query;
    for (uint32_t i = 0; i < call->arguments; i++)
        if (expression_facts(call->argument[i]) & FACT_WINDOW) {
            fail(binder, SQLSTATE_WINDOWING_ERROR, expression_position(call->argument[i]),
                 "window function calls cannot be nested");
            return false;
        }
    if (!window_allowed(level, call->position))
        return false;
    query->has_windows = true;
    if (definition->name) {
        const struct window *named = window_named(level, definition->name);
        if (!named) {
            fail(binder, SQLSTATE_UNDEFINED_OBJECT, definition->location, "window \"%s\" does not exist",
                 definition->name);
            return false;
        }
        call->window = (uint32_t)(named - query->window);
        return true;
    }
    struct window window;
    if (!window_make(level, definition, &window))
        return false;
    for (uint32_t i = 0; i < query->windows; i++)
        if (!query->window[i].name && same_window(&query->window[i], &window)) {
            call->window = i;
            return true;
        }
    call->window = window_add(level, &window);
    return true;
}
