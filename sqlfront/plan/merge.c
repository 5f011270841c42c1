/* Merge joins: which keys in which order, and where the order comes from.
 *
 * Orders that are tried: those in which either side comes already, as far as their columns are keys, and that of the conditions, for
 * which both sides are sorted. A side that does not come in the order is sorted; keys that are not part of it become conditions. */
#include "sqlfront/plan/inside.h"

#include <math.h>

#define MERGE_KEYS_MAX 16
/* A way dearer than the best by more than this is not even made: making plans costs, too, and no order saves so much. */
#define WORTH_MAKING 1.3

struct merging {
    struct level *level;
    const struct joining_request *request;
    const struct paths *kept[2]; /* left, right */
    struct expression *key[2][MERGE_KEYS_MAX];
    uint32_t of_condition[MERGE_KEYS_MAX];
    uint32_t keys;
};

/* Some of the keys, in an order. */
struct sequence {
    uint32_t count;
    uint32_t key[MERGE_KEYS_MAX];
    struct ordering order[MERGE_KEYS_MAX]; /* directions */
};

/* The way to one side in the order of a sequence. */
struct merge_input {
    struct path *path;
    bool sorts;
    double cost;
};

static bool is_slot(const struct path *path, const struct ordering *order, const struct expression *key)
{
    const struct slot *slot = &path->slot[order->slot];
    key = expression_strip_relabel(key);
    return key->kind == EXPRESSION_COLUMN && key->level == 0 && key->range == slot->range &&
           key->number == slot->number;
}

/* The keys that the path's order begins with. */
static void sequence_of(const struct merging *merging, const struct path *path, int side,
                        struct sequence *sequence)
{
    bool used[MERGE_KEYS_MAX] = {0};
    sequence->count = 0;
    for (uint32_t o = 0; o < path->orders && sequence->count < merging->keys; o++) {
        const struct ordering *order = &path->order[o];
        uint32_t k = 0;
        while (k < merging->keys && (used[k] || !is_slot(path, order, merging->key[side][k])))
            k++;
        if (k == merging->keys && order->constant)
            continue;
        if (k == merging->keys)
            return;
        used[k] = true;
        sequence->key[sequence->count] = k;
        sequence->order[sequence->count++] = *order;
    }
}

static bool comes_so(const struct merging *merging, const struct path *path, int side,
                     const struct sequence *sequence)
{
    uint32_t o = 0;
    for (uint32_t s = 0; s < sequence->count; s++, o++) {
        while (o < path->orders && path->order[o].constant &&
               !is_slot(path, &path->order[o], merging->key[side][sequence->key[s]]))
            o++;
        if (o == path->orders || !is_slot(path, &path->order[o], merging->key[side][sequence->key[s]]) ||
            path->order[o].descending != sequence->order[s].descending ||
            path->order[o].nulls_first != sequence->order[s].nulls_first)
            return false;
    }
    return true;
}

static struct merge_input input_of(const struct merging *merging, int side, const struct sequence *sequence)
{
    const struct planner *planner = merging->level->planner;
    struct path *best = side ? merging->request->right : merging->request->left;
    struct merge_input input = {.path = best, .cost = best->plan->cost};
    if (!comes_so(merging, best, side, sequence)) {
        input.sorts = true;
        input.cost += sorting_cost(planner, best->plan->rows, best->plan->columns);
    }
    for (uint32_t i = 0; i < merging->kept[side]->count; i++) {
        struct path *path = merging->kept[side]->path[i];
        if (path->plan->cost < input.cost && comes_so(merging, path, side, sequence))
            input = (struct merge_input){.path = path, .cost = path->plan->cost};
    }
    return input;
}

static double cost_of(const struct merging *merging, const struct sequence *sequence,
                      const struct merge_input *inputs)
{
    const struct joining_request *request = merging->request;
    double left = request->left->plan->rows, right = request->right->plan->rows, pairs = request->rows;
    for (uint32_t k = 0; k < merging->keys; k++) {
        bool used = false;
        for (uint32_t s = 0; s < sequence->count; s++)
            used |= sequence->key[s] == k;
        if (!used)
            pairs /= request->conditions[merging->of_condition[k]]->selectivity;
    }
    pairs = fmin(pairs, left * right);
    return inputs[0].cost + inputs[1].cost + (left + 1.1 * right) * COST_NEIGHBOUR + pairs * COST_ROW_OUT +
           (request->count > sequence->count ? pairs * COST_CONDITION : 0);
}

/* The conditions that are no keys of the sequence. */
static struct expression *rest_of(const struct merging *merging, const struct sequence *sequence)
{
    const struct joining_request *request = merging->request;
    struct expression *rest = NULL;
    for (uint32_t i = 0; i < request->count; i++) {
        bool is_key = false;
        for (uint32_t s = 0; s < sequence->count; s++)
            is_key |= merging->of_condition[sequence->key[s]] == i;
        if (!is_key)
            rest = expression_and(merging->level->planner->scope, rest, request->conditions[i]->expression);
    }
    return rest;
}

/* The order of the side whose rows all keep their place. */
static void order_of(const struct merging *merging, const struct sequence *sequence, struct path *path)
{
    const struct joining_request *request = merging->request;
    int side = request->join == JOIN_RIGHT;
    path->order = plan_alloc(merging->level->planner, sequence->count * sizeof *path->order);
    for (uint32_t s = 0; s < sequence->count && request->join != JOIN_FULL; s++) {
        const struct expression *key = expression_strip_relabel(merging->key[side][sequence->key[s]]);
        int slot = key->kind == EXPRESSION_COLUMN ? path_slot(path, key->range, key->number) : -1;
        if (slot < 0)
            return;
        path->order[path->orders] = sequence->order[s];
        path->order[path->orders].constant = false;
        path->order[path->orders++].slot = (uint32_t)slot;
    }
}

static enum sqlstate keys_of(const struct merging *merging, const struct sequence *sequence, int side,
                             const struct path *input, struct plan_key **made, struct error *error)
{
    struct plan_key *key = *made = plan_alloc(merging->level->planner, sequence->count * sizeof *key);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t s = 0; s < sequence->count && !failed; s++) {
        struct expression *expression = merging->key[side][sequence->key[s]];
        key[s] = (struct plan_key){.type = expression->type,
                                   .descending = sequence->order[s].descending,
                                   .nulls_first = sequence->order[s].nulls_first};
        failed = level_resolve(merging->level, input, expression, &key[s].expression, error);
    }
    return failed;
}

static enum sqlstate sort_input(const struct merging *merging, const struct sequence *sequence, int side,
                                struct merge_input *input, struct error *error)
{
    struct expression *key[MERGE_KEYS_MAX];
    for (uint32_t s = 0; s < sequence->count; s++)
        key[s] = merging->key[side][sequence->key[s]];
    return input->sorts
               ? path_sorted(merging->level, &input->path, key, sequence->order, sequence->count, error)
               : SQLSTATE_OK;
}

static enum sqlstate make(const struct merging *merging, const struct sequence *sequence,
                          struct merge_input *inputs, struct path **made, struct error *error)
{
    struct level *level = merging->level;
    enum sqlstate failed = sort_input(merging, sequence, 0, &inputs[0], error);
    if (!failed)
        failed = sort_input(merging, sequence, 1, &inputs[1], error);
    if (failed)
        return failed;
    struct joining_request request = *merging->request;
    request.left = inputs[0].path;
    request.right = inputs[1].path;
    struct path *path = *made = joined_path(level, PLAN_MERGE_JOIN, &request);
    struct plan *plan = path->plan;
    struct expression *rest = rest_of(merging, sequence);
    plan->keys = sequence->count;
    failed = keys_of(merging, sequence, 0, request.left, &plan->key, error);
    if (!failed)
        failed = keys_of(merging, sequence, 1, request.right, &plan->right_key, error);
    if (!failed && rest)
        failed = level_resolve(level, path, rest, &plan->condition, error);
    if (request.join == JOIN_SEMI || request.join == JOIN_ANTI)
        plan->columns = request.left->plan->columns;
    plan->startup_cost = request.left->plan->startup_cost + request.right->plan->startup_cost;
    plan->cost = cost_of(merging, sequence, inputs);
    order_of(merging, sequence, path);
    return failed;
}

static enum sqlstate try_sequence(const struct merging *merging, const struct sequence *sequence, double most,
                                  struct paths *found, struct error *error)
{
    if (sequence->count == 0 || found->count == PATHS_KEPT_MAX)
        return SQLSTATE_OK;
    struct merge_input inputs[2] = {input_of(merging, 0, sequence), input_of(merging, 1, sequence)};
    double cost = cost_of(merging, sequence, inputs);
    if (cost > WORTH_MAKING * most)
        return SQLSTATE_OK;
    struct path *path;
    enum sqlstate failed = make(merging, sequence, inputs, &path, error);
    if (!failed)
        found->path[found->count++] = path;
    return failed;
}

enum sqlstate level_merge_join(struct level *level, const struct joining_request *request,
                               const struct paths *left, const struct paths *right, double most,
                               struct paths *found, struct error *error)
{
    struct merging merging = {.level = level, .request = request, .kept = {left, right}};
    struct sequence sequence;
    for (uint32_t i = 0; i < request->count && merging.keys < MERGE_KEYS_MAX; i++) {
        struct expression *a, *b;
        if (!condition_as_keys(request, request->conditions[i], &a, &b))
            continue;
        merging.key[0][merging.keys] = a;
        merging.key[1][merging.keys] = b;
        merging.of_condition[merging.keys++] = i;
    }
    if (merging.keys == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = SQLSTATE_OK;
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < merging.kept[side]->count && !failed; i++) {
            sequence_of(&merging, merging.kept[side]->path[i], side, &sequence);
            failed = try_sequence(&merging, &sequence, most, found, error);
        }
    sequence.count = merging.keys;
    for (uint32_t k = 0; k < merging.keys; k++) {
        sequence.key[k] = k;
        sequence.order[k] = (struct ordering){0};
    }
    return failed ? failed : try_sequence(&merging, &sequence, most, found, error);
}
