/* Which of several functions or operators of a name is meant (PostgreSQL manual, 10.2 and 10.3; parse_func.c, parse_oper.c,
 * namespace.c). */
#include "sqlfront/bind/binder.h"

#define ARGUMENTS_MAX 100 /* PostgreSQL's FUNC_MAX_ARGS */

const struct procedure *procedure_by_oid(struct binder *binder, uint32_t oid)
{
    const struct procedure *procedure = procedure_builtin(oid);
    if (!procedure && catalog_procedure_by_oid(binder->view, oid, &procedure, binder->error))
        return NULL;
    if (!procedure)
        return fail(binder, SQLSTATE_UNDEFINED_FUNCTION, -1, "function with OID %u does not exist", oid);
    return procedure;
}

const struct procedure *procedure_by_types(struct binder *binder, const char *name, uint32_t count,
                                           const uint32_t *types)
{
    const struct procedure *const *found;
    uint32_t founds;
    if (catalog_procedures(binder->view, binder->scope, "pg_catalog", name, &found, &founds, binder->error))
        return NULL;
    for (uint32_t i = 0; i < founds; i++)
        if (found[i]->arguments == count &&
            (count == 0 || memcmp(found[i]->argument_types, types, count * sizeof *types) == 0))
            return found[i];
    return fail(binder, SQLSTATE_UNDEFINED_FUNCTION, -1, "function %s does not exist", name);
}

/* ---- the choice ---- */

uint32_t candidates_match(struct binder *binder, struct candidate *candidates, uint32_t count,
                          uint32_t arguments, const uint32_t *types)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (can_coerce(binder, arguments, types, candidates[i].types, COERCE_IMPLICIT_ONLY))
            candidates[kept++] = candidates[i];
    return kept;
}

static bool is_preferred(struct binder *binder, char category, uint32_t oid)
{
    const struct type *type = type_by_oid(binder, oid);
    return type && type->category == category && type->preferred;
}

/* Keeps those with the most arguments of exactly the known types (and, with `preferred`, of preferred ones). */
static uint32_t keep_best(struct binder *binder, struct candidate *candidates, uint32_t count,
                          uint32_t arguments, const uint32_t *types, const char *categories)
{
    uint32_t kept = 0, best = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t matches = 0;
        for (uint32_t a = 0; a < arguments; a++)
            matches += types[a] != TYPE_UNKNOWN &&
                       (candidates[i].types[a] == types[a] ||
                        (categories && is_preferred(binder, categories[a], candidates[i].types[a])));
        if (matches > best || kept == 0) {
            best = matches;
            candidates[0] = candidates[i];
            kept = 1;
        } else if (matches == best) {
            candidates[kept++] = candidates[i];
        }
    }
    return kept;
}

/* What unknown arguments had best be taken for: the category all candidates agree on, or strings. False: no agreement. */
static bool unknown_category(struct binder *binder, const struct candidate *candidates, uint32_t count,
                             uint32_t argument, char *category, bool *preferred)
{
    bool conflict = false;
    *category = 0;
    *preferred = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct type *type = type_by_oid(binder, candidates[i].types[argument]);
        if (!type)
            return false;
        if (*category == 0) {
            *category = type->category;
            *preferred = type->preferred;
        } else if (*category == type->category) {
            *preferred |= type->preferred;
        } else if (type->category == 'S') {
            *category = 'S';
            *preferred = type->preferred;
        } else {
            conflict = true;
        }
    }
    return !conflict || *category == 'S';
}

static uint32_t keep_categories(struct binder *binder, struct candidate *candidates, uint32_t count,
                                uint32_t arguments, const uint32_t *types, const char *categories,
                                const bool *preferred)
{
    uint32_t kept = 0;
    bool *keep = memory(binder, count);
    for (uint32_t i = 0; i < count; i++) {
        keep[i] = true;
        for (uint32_t a = 0; a < arguments && keep[i]; a++) {
            const struct type *type = type_by_oid(binder, candidates[i].types[a]);
            if (types[a] == TYPE_UNKNOWN &&
                (!type || type->category != categories[a] || (preferred[a] && !type->preferred)))
                keep[i] = false;
        }
        kept += keep[i];
    }
    if (!kept)
        return count;
    kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (keep[i])
            candidates[kept++] = candidates[i];
    return kept;
}

/* The last resort: unknown arguments are of the type that all known ones have. */
static struct candidate *choose_by_known_type(struct binder *binder, struct candidate *candidates,
                                              uint32_t count, uint32_t arguments, const uint32_t *types)
{
    uint32_t known = 0, all[ARGUMENTS_MAX];
    for (uint32_t a = 0; a < arguments; a++) {
        if (types[a] == TYPE_UNKNOWN)
            continue;
        if (known && known != types[a])
            return NULL;
        known = types[a];
    }
    if (!known)
        return NULL;
    for (uint32_t a = 0; a < arguments; a++)
        all[a] = known;
    struct candidate *chosen = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (!can_coerce(binder, arguments, all, candidates[i].types, COERCE_IMPLICIT_ONLY))
            continue;
        if (chosen)
            return NULL;
        chosen = &candidates[i];
    }
    return chosen;
}

struct candidate *candidates_choose(struct binder *binder, struct candidate *candidates, uint32_t count,
                                    uint32_t arguments, const uint32_t *types)
{
    char categories[ARGUMENTS_MAX];
    bool preferred[ARGUMENTS_MAX], resolved = true;
    uint32_t unknowns = 0;
    if (arguments > ARGUMENTS_MAX)
        return NULL;
    count = keep_best(binder, candidates, count, arguments, types, NULL);
    if (count == 1)
        return candidates;
    for (uint32_t a = 0; a < arguments; a++) {
        const struct type *type = type_by_oid(binder, types[a]);
        categories[a] = type ? type->category : 'U';
        unknowns += types[a] == TYPE_UNKNOWN;
    }
    count = keep_best(binder, candidates, count, arguments, types, categories);
    if (count == 1)
        return candidates;
    if (!unknowns)
        return NULL;
    for (uint32_t a = 0; a < arguments && resolved; a++)
        if (types[a] == TYPE_UNKNOWN)
            resolved = unknown_category(binder, candidates, count, a, &categories[a], &preferred[a]);
    if (resolved) {
        count = keep_categories(binder, candidates, count, arguments, types, categories, preferred);
        if (count == 1)
            return candidates;
    }
    return unknowns < arguments ? choose_by_known_type(binder, candidates, count, arguments, types) : NULL;
}

/* ---- functions ---- */

/* f(a => 1): which argument of the call is which of the function (MatchNamedCall). */
static bool match_names(struct binder *binder, const struct function_search *search,
                        const struct procedure *procedure, struct candidate *candidate)
{
    uint32_t *place = memory(binder, (procedure->arguments + 1) * sizeof *place);
    bool given[ARGUMENTS_MAX] = {false};
    uint32_t defaulted = procedure->arguments - procedure->defaults;
    if (!procedure->argument_names || search->arguments > procedure->arguments ||
        procedure->arguments > ARGUMENTS_MAX)
        return false;
    for (uint32_t i = 0; i < procedure->arguments; i++)
        place[i] = UINT32_MAX;
    for (uint32_t a = 0; a < search->arguments; a++) {
        uint32_t at = a;
        if (search->names[a])
            for (at = 0; at < procedure->arguments; at++)
                if (procedure->argument_names[at] &&
                    strcmp(procedure->argument_names[at], search->names[a]) == 0)
                    break;
        if (at >= procedure->arguments || given[at])
            return false;
        given[at] = true;
        place[at] = a;
    }
    for (uint32_t i = 0; i < procedure->arguments; i++)
        if (!given[i] && i < defaulted)
            return false;
    candidate->place = place;
    return true;
}

static bool candidate_make(struct binder *binder, const struct function_search *search,
                           const struct procedure *procedure, struct candidate *candidate)
{
    *candidate = (struct candidate){.procedure = procedure};
    uint32_t declared = procedure->arguments, given = search->arguments;
    if (declared > ARGUMENTS_MAX || given > ARGUMENTS_MAX)
        return false;
    if (search->names) {
        if (!match_names(binder, search, procedure, candidate))
            return false;
        /* In the order of the call, as its types are; the rest are defaults. */
        candidate->types = memory(binder, (declared + 1) * sizeof *candidate->types);
        for (uint32_t i = 0; i < declared; i++)
            if (candidate->place[i] != UINT32_MAX)
                candidate->types[candidate->place[i]] = procedure->argument_types[i];
        candidate->arguments = given;
        candidate->defaults = declared - given;
        return true;
    }
    bool spread = search->spread && procedure->variadic && declared <= given;
    bool defaults = search->defaults && declared > given && given + procedure->defaults >= declared;
    if (declared != given && !spread && !defaults)
        return false;
    candidate->arguments = given;
    candidate->types = memory(binder, (given + 1) * sizeof *candidate->types);
    for (uint32_t i = 0; i < given && i < declared; i++)
        candidate->types[i] = procedure->argument_types[i];
    if (spread) {
        candidate->variadics = given - declared + 1;
        for (uint32_t i = declared - 1; i < given; i++)
            candidate->types[i] = procedure->variadic;
    }
    candidate->defaults = defaults ? declared - given : 0;
    return true;
}

/* Of two with the same argument types: the one of the earlier schema, the one that is not variadic, the one that needs
 * fewer defaults. True when `added` is to be left out. */
static bool candidate_yields(struct candidate *there, const struct candidate *added)
{
    if (there->arguments != added->arguments ||
        memcmp(there->types, added->types, there->arguments * sizeof *there->types) != 0)
        return false;
    const struct procedure *a = there->procedure, *b = added->procedure;
    if (!a)
        return true;
    if (a->schema != b->schema)
        return true; /* earlier schemas come first */
    bool better = false;
    if ((there->variadics > 0) != (added->variadics > 0))
        better = there->variadics > 0;
    else if (there->defaults != added->defaults)
        better = added->defaults < there->defaults;
    else {
        there->procedure = NULL;
        return true;
    }
    if (better)
        *there = *added;
    return true;
}

static enum find_result coercion_request(struct binder *binder, struct function_search *search)
{
    const struct type *type = NULL;
    uint32_t ignored, source = search->types[0];
    if (search->arguments != 1 || search->names)
        return FIND_NONE;
    if (catalog_type(binder->view, search->schema, search->name, &type, binder->error))
        return FIND_FAILED;
    if (!type || type->oid == TYPE_RECORD)
        return FIND_NONE;
    bool wanted = source == TYPE_UNKNOWN;
    if (!wanted) {
        const struct type *from = type_by_oid(binder, source);
        switch (find_pathway(binder, source, type->oid, COERCE_EXPLICITLY, &ignored)) {
        case PATHWAY_RELABEL:
            wanted = true;
            break;
        case PATHWAY_TEXT:
            wanted = !(from && type_is_composite(from) && type->category == 'S');
            break;
        default:
            break;
        }
    }
    if (!wanted)
        return FIND_NONE;
    search->coercion = type;
    return FIND_COERCION;
}

enum find_result function_find_best(struct binder *binder, struct function_search *search)
{
    const struct procedure *const *found;
    uint32_t founds, count = 0;
    if (catalog_procedures(binder->view, binder->scope, search->schema, search->name, &found, &founds,
                           binder->error))
        return FIND_FAILED;
    struct candidate *candidates = memory(binder, (founds + 1) * sizeof *candidates);
    for (uint32_t i = 0; i < founds; i++) {
        struct candidate made;
        if (!candidate_make(binder, search, found[i], &made))
            continue;
        bool left_out = false;
        for (uint32_t k = 0; k < count && !left_out; k++)
            left_out = candidate_yields(&candidates[k], &made);
        if (!left_out)
            candidates[count++] = made;
    }
    struct candidate *best = NULL;
    for (uint32_t i = 0; i < count && !best; i++)
        if (memcmp(candidates[i].types, search->types, search->arguments * sizeof *search->types) == 0)
            best = &candidates[i];
    if (!best) {
        enum find_result coercion = search->arguments == 1 ? coercion_request(binder, search) : FIND_NONE;
        if (coercion != FIND_NONE)
            return coercion;
        count = candidates_match(binder, candidates, count, search->arguments, search->types);
        if (count == 0)
            return FIND_NONE;
        best = count == 1 ? candidates
                          : candidates_choose(binder, candidates, count, search->arguments, search->types);
        if (!best)
            return FIND_AMBIGUOUS;
    }
    if (!best->procedure)
        return FIND_AMBIGUOUS;
    search->found = *best;
    return FIND_FOUND;
}

/* ---- operators ---- */

static const struct operator*
    operator_exact(const struct operator* const * found, uint32_t count, uint32_t left, uint32_t right)
{
    for (uint32_t i = 0; i < count; i++)
        if (found[i]->left == left && found[i]->right == right)
            return found[i];
    return NULL;
}

static uint32_t operator_candidates(struct binder *binder, const struct operator* const * found,
                                    uint32_t count, bool prefix, struct candidate *candidates)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if ((found[i]->left == 0) != prefix)
            continue;
        /* Hidden by one of an earlier schema with the same operands. */
        if (operator_exact(found, i, found[i]->left, found[i]->right))
            continue;
        uint32_t *types = memory(binder, 2 * sizeof *types);
        types[0] = prefix ? found[i]->right : found[i]->left;
        types[1] = found[i]->right;
        candidates[kept++] =
            (struct candidate){.operator= found[i], .arguments = prefix ? 1 : 2, .types = types};
    }
    return kept;
}

static void *operator_missing(struct binder *binder, const List *name, const struct type *left,
                              const struct type *right, bool ambiguous, int32_t position)
{
    const char *text = names_text(binder, name);
    const char *right_text = type_name(binder, right);
    struct text signature = text_in(binder->scope);
    if (left)
        text_format(&signature, "%s ", type_name(binder, left));
    text_format(&signature, "%s %s", text, right_text);
    const char *whole = "";
    if (text_end(&signature, &whole, binder->error))
        return NULL;
    if (ambiguous) {
        fail(binder, SQLSTATE_AMBIGUOUS_FUNCTION, position, "operator is not unique: %s", whole);
        fail_hint(binder,
                  "Could not choose a best candidate operator. You might need to add explicit type casts.");
    } else {
        fail(binder, SQLSTATE_UNDEFINED_FUNCTION, position, "operator does not exist: %s", whole);
        fail_hint(binder,
                  left ? "No operator matches the given name and argument types. You might need to add "
                         "explicit type casts."
                       : "No operator matches the given name and argument type. You might need to add an "
                         "explicit type cast.");
    }
    return NULL;
}

const struct operator* operator_find(struct binder *binder, const List *name, const struct type *left,
                                     const struct type *right, bool quiet, int32_t position)
{
    const char *schema, *last;
    const struct operator* const * found;
    uint32_t founds;
    if (!names_split(binder, name, &schema, &last))
        return NULL;
    if (catalog_operators(binder->view, binder->scope, schema, last, &found, &founds, binder->error))
        return NULL;
    uint32_t types[2] = {left ? left->oid : right->oid, right->oid};
    uint32_t exact_left = left ? left->oid : 0, exact_right = right->oid;
    if (left && exact_left == TYPE_UNKNOWN)
        exact_left = exact_right;
    else if (left && exact_right == TYPE_UNKNOWN)
        exact_right = exact_left;
    const struct operator* exact = operator_exact(found, founds, exact_left, exact_right);
    if (exact)
        return exact;
    struct candidate *candidates = memory(binder, (founds + 1) * sizeof *candidates);
    uint32_t arguments = left ? 2 : 1;
    uint32_t count = operator_candidates(binder, found, founds, !left, candidates);
    count = candidates_match(binder, candidates, count, arguments, types);
    struct candidate *best = count == 0   ? NULL
                             : count == 1 ? candidates
                                          : candidates_choose(binder, candidates, count, arguments, types);
    if (best)
        return best->operator;
    return quiet ? NULL : operator_missing(binder, name, left, right, count > 1, position);
}

/* varchar is compared as text, a composite as record, an enum as anyenum. */
const struct operator* type_comparison(struct binder *binder, const struct type *type, int strategy)
{
    const struct operator* found = catalog_comparison(type->oid, strategy);
    if (found)
        return found;
    switch (type->oid) {
    case TYPE_VARCHAR:
        return catalog_comparison(TYPE_TEXT, strategy);
    case TYPE_CIDR:
        return catalog_comparison(TYPE_INET, strategy);
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
    case TYPE_REGCLASS:
    case TYPE_REGTYPE:
    case TYPE_REGCONFIG:
    case TYPE_REGDICTIONARY:
    case TYPE_REGNAMESPACE:
    case TYPE_REGROLE:
    case TYPE_REGCOLLATION:
        return catalog_comparison(TYPE_OID, strategy);
    default:
        break;
    }
    if (type->type_type == 'e')
        return catalog_comparison(TYPE_ANYENUM, strategy);
    if (type_is_composite(type))
        return catalog_comparison(TYPE_RECORD, strategy);
    if (type_is_array(type)) {
        const struct type *element = type_by_oid(binder, type->element);
        return element && type_comparison(binder, element, strategy)
                   ? catalog_comparison(TYPE_ANYARRAY, strategy)
                   : NULL;
    }
    if (type->type_type == 'r')
        return catalog_comparison(TYPE_ANYRANGE, strategy);
    if (type->type_type == 'm')
        return catalog_comparison(TYPE_ANYMULTIRANGE, strategy);
    return NULL;
}
