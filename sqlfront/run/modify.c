/* MODIFY: INSERT, UPDATE, DELETE and MERGE, a batch of rows at a time.
 *
 * Rows to be updated or deleted are locked first. In READ COMMITTED a row may have changed since it was read: then its newest
 * state takes the place of the old one in the input row, the statement's condition is asked again, and new values are
 * computed from that (PostgreSQL manual 13.2.1). A row that is gone is passed over. */
#include "sqlfront/run/modify.h"

/* ---- opening ---- */

/* Whether each row of the input's target comes once: nothing between the scan and here can repeat it. */
static bool is_scan_of_one(const struct plan *plan)
{
    while (plan && (plan->kind == PLAN_FILTER || plan->kind == PLAN_PROJECT || plan->kind == PLAN_SORT ||
                    plan->kind == PLAN_LIMIT || plan->kind == PLAN_APPLY || plan->kind == PLAN_COMMON)) {
        if (plan->kind == PLAN_APPLY && plan->apply == APPLY_JOIN)
            return false;
        plan = plan->input[0];
    }
    return plan && (plan->kind == PLAN_SCAN || plan->kind == PLAN_EMPTY);
}

static bool in_key(const struct relation *relation, int16_t attnum)
{
    for (uint32_t i = 0; i < relation->key_columns; i++)
        if (relation->key_column[i] == attnum)
            return true;
    for (uint32_t i = 0; i < relation->indexes; i++)
        for (uint32_t k = 0; index_is_key(relation->index[i]) && k < relation->index[i]->key_columns; k++)
            if (relation->index[i]->column[k] == attnum)
                return true;
    return false;
}

/* An UPDATE that leaves all keys alone gets on with those who hold the row for a foreign key. */
static enum lock_strength strength_of(const struct relation *relation, struct expression *const *set)
{
    for (uint32_t c = 0; set && c < relation->columns; c++)
        if (set[c] && in_key(relation, (int16_t)(c + 1)))
            return LOCK_UPDATE;
    return LOCK_NO_KEY_UPDATE;
}

/* Whether rows may be under way while the next ones are read: those come from a client, so reading them has nothing to do with
 * the transaction, and nobody wants to see a batch once it is written. */
static bool reads_on(const struct plan *plan)
{
    const struct plan *input = plan->input[0];
    bool plain = plan->modify == QUERY_INSERT && plan->conflict == CONFLICT_NONE && plan->returnings == 0;
    while (plain && (input->kind == PLAN_PROJECT || input->kind == PLAN_FILTER)) {
        plain = !input->condition || !(expression_facts(input->condition) & FACT_SESSION);
        for (uint32_t i = 0; i < input->expressions && plain; i++)
            plain = !(expression_facts(input->expression[i]) & FACT_SESSION);
        input = input->input[0];
    }
    return plain && input->kind == PLAN_FUNCTION && input->functions == 1 &&
           input->function[0].call->kind == EXPRESSION_SET_CALL &&
           input->function[0].call->procedure->set_function &&
           input->function[0].call->procedure->set_function->next_rows;
}

static enum sqlstate open_merge(struct modify *modify, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan *plan = step->plan;
    uint32_t columns = plan->target->relation->columns;
    modify->merge = scope_alloc_zeroed(step->scope, (plan->merge_actions + 1) * sizeof modify->merge[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->merge_actions && !failed; i++) {
        failed = operation_program(step, plan->merge[i].condition, &modify->merge[i].condition, error);
        if (!failed && plan->merge[i].set)
            failed = operation_programs(step, plan->merge[i].set, columns, &modify->merge[i].set, error);
    }
    return failed;
}

static enum sqlstate open_modify(struct operation *step, struct error *error)
{
    struct modify *modify = (struct modify *)step;
    const struct plan *plan = step->plan;
    const struct plan_target *target = plan->target;
    const struct relation *relation = target->relation;
    uint32_t columns = relation->columns;
    step->execution->modifies = true;
    modify->slots = plan->input[0]->columns;
    modify->reads_on = reads_on(plan);
    modify->may_repeat = plan->modify == QUERY_MERGE || plan->conflict == CONFLICT_UPDATE ||
                         (plan->modify != QUERY_INSERT && !is_scan_of_one(plan->input[0]));
    modify->strength = plan->modify == QUERY_DELETE ? LOCK_UPDATE : strength_of(relation, target->set);
    enum sqlstate failed = writer_make(step, relation, target->bound, &modify->writer, error);
    if (!failed && target->set)
        failed = operation_programs(step, target->set, columns, &modify->set, error);
    if (!failed && step->input[0])
        failed = operation_program(step, target->recheck, &modify->recheck, error);
    if (!failed)
        failed = operation_programs(step, plan->returning, plan->returnings, &modify->returning, error);
    if (!failed && plan->modify == QUERY_MERGE)
        failed = open_merge(modify, error);
    if (!failed && plan->conflict_set)
        failed = operation_programs(step, plan->conflict_set, columns, &modify->conflict_set, error);
    if (!failed)
        failed = operation_program(step, plan->conflict_where, &modify->conflict_where, error);
    modify->done_row = scope_alloc_zeroed(step->scope, (columns + 1) * sizeof modify->done_row[0]);
    modify->done_input = scope_alloc_zeroed(step->scope, (modify->slots + 1) * sizeof modify->done_input[0]);
    return failed;
}

/* ---- rows written before ---- */

static const struct type key_type = {.kind = VALUE_BYTES, .order = ORDER_BYTES};

enum sqlstate modify_note_key(struct modify *modify, struct bytes key, bool *again, struct error *error)
{
    static const struct type *const types[] = {&key_type};
    struct operation *step = &modify->step;
    struct value value = value_bytes(key.data, key.size);
    uint64_t hash = value_hash(operation_environment(step), &key_type, &value);
    *again = false;
    if (!modify->opened) {
        modify->opened = true;
        tuple_store_init(&modify->seen_keys, step->memory, 1, types);
        enum sqlstate failed = tuple_table_init(&modify->seen, step->memory, error);
        if (failed)
            return failed;
    }
    struct tuple *tuple = tuple_table_find(&modify->seen, hash);
    for (; tuple; tuple = tuple->next)
        if (tuple->hash == hash &&
            value_equal(operation_environment(step), &key_type, &value, &tuple->value[0])) {
            *again = true;
            return SQLSTATE_OK;
        }
    enum sqlstate failed = tuple_store_add_values(&modify->seen_keys, &value, &tuple, error);
    if (failed)
        return failed;
    tuple->hash = hash;
    return tuple_table_add(&modify->seen, tuple, error);
}

/* ---- dense columns ---- */

static struct value **columns_room(struct scope *scope, uint32_t columns, uint32_t rows)
{
    struct value **room = scope_alloc(scope, (columns + 1) * sizeof room[0]);
    for (uint32_t c = 0; c < columns; c++)
        room[c] = scope_alloc(scope, (rows + 1) * sizeof room[c][0]);
    return room;
}

/* The rows of a batch (of them those of the selection) behind each other. */
static struct value **gather(struct scope *scope, const struct batch *batch)
{
    struct value **dense = columns_room(scope, batch->columns, batch->count);
    for (uint32_t c = 0; c < batch->columns; c++)
        for (uint32_t i = 0; i < batch->count; i++)
            dense[c][i] = batch->column[c][batch_row(batch, i)];
    return dense;
}

static struct batch batch_of(struct value *const *dense, uint32_t columns, uint32_t count)
{
    return (struct batch){
        .columns = columns, .count = count, .column = (const struct value **)(uintptr_t)dense};
}

void modify_note_row(struct modify *modify, struct value *const *columns, struct value *const *input,
                     uint32_t row, uint32_t input_row)
{
    struct operation *step = &modify->step;
    uint32_t width = step->plan->target->relation->columns;
    if (step->plan->returnings == 0) {
        modify->done++;
        return;
    }
    if (modify->done == 0) {
        struct value **rows = columns_room(step->scratch, width, BATCH_ROWS);
        struct value **inputs = columns_room(step->scratch, modify->slots, BATCH_ROWS);
        memcpy(modify->done_row, rows, width * sizeof rows[0]);
        memcpy(modify->done_input, inputs, modify->slots * sizeof inputs[0]);
    }
    for (uint32_t c = 0; c < width; c++)
        modify->done_row[c][modify->done] = columns[c][row];
    for (uint32_t s = 0; s < modify->slots; s++)
        modify->done_input[s][modify->done] = input[s][input_row];
    modify->done++;
}

void modify_note_system(struct modify *modify, struct bytes key, bool replaced)
{
    struct operation *step = &modify->step;
    if (step->plan->returnings == 0)
        return;
    if (!modify->done_system)
        modify->done_system =
            scope_alloc(step->scope, SYSTEM_COLUMNS * BATCH_ROWS * sizeof modify->done_system[0]);
    struct value *values = &modify->done_system[modify->done - 1];
    struct value own = value_integer((uint32_t)transaction_id(step->execution->request.transaction));
    values[0] = key_as_tid(key);
    values[1 * BATCH_ROWS] = own;
    values[2 * BATCH_ROWS] = value_integer(0);
    values[3 * BATCH_ROWS] = replaced ? own : value_integer(0);
    values[4 * BATCH_ROWS] = value_integer(0);
    values[5 * BATCH_ROWS] = value_integer(step->plan->target->relation->oid);
}

static void note_all(struct modify *modify, struct value *const *columns, struct value *const *input,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        modify_note_row(modify, columns, input, i, i);
}

/* ---- INSERT ---- */

static enum sqlstate insert(struct modify *modify, struct program **set, struct value **input, uint32_t count,
                            struct error *error)
{
    struct operation *step = &modify->step;
    const struct relation *relation = step->plan->target->relation;
    struct batch batch = batch_of(input, modify->slots, count);
    struct change change = {.kind = QUERY_INSERT,
                            .count = count,
                            .scope = step->scratch,
                            .new =
                                scope_alloc(step->scratch, (relation->columns + 1) * sizeof(struct value *))};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t c = 0; c < relation->columns && !failed; c++) {
        const struct value *values;
        if (set && set[c]) {
            failed = program_view(set[c], &batch, step->scratch, &values, error);
            change.new[c] = (struct value *)(uintptr_t)values; /* read only from here on */
            continue;
        }
        change.new[c] = scope_alloc(step->scratch, (count + 1) * sizeof change.new[c][0]);
        for (uint32_t i = 0; i < count; i++)
            change.new[c][i] = value_null();
    }
    if (!failed)
        failed = writer_check(modify->writer, &change, error);
    if (failed)
        return failed;
    if (step->plan->conflict != CONFLICT_NONE)
        return conflict_insert(modify, &change, input, error);
    failed = (modify->reads_on ? writer_start : writer_write)(modify->writer, &change, error);
    for (uint32_t i = 0; i < count; i++) {
        modify_note_row(modify, change.new, input, i, i);
        if (step->plan->modify == QUERY_INSERT)
            modify_note_system(modify, change.new_key[i], false);
    }
    return failed;
}

/* ---- UPDATE, DELETE ---- */

struct targets {
    uint32_t count;
    struct value **input;
    struct bytes *key;
    struct value **old; /* columns of input, or nulls */
};

/* Columns of the old row are slots of the input; a dropped column is null. */
static void find_old(struct modify *modify, struct targets *targets, bool for_compare)
{
    struct operation *step = &modify->step;
    const struct plan_target *target = step->plan->target;
    uint32_t columns = target->relation->columns;
    targets->old = scope_alloc(step->scratch, (columns + 1) * sizeof targets->old[0]);
    for (uint32_t c = 0; c < columns; c++) {
        int32_t slot = target->old_slot[c];
        targets->old[c] = slot >= 0 ? targets->input[slot] : NULL;
        if (slot >= 0 || for_compare)
            continue;
        targets->old[c] = scope_alloc(step->scratch, (targets->count + 1) * sizeof targets->old[c][0]);
        for (uint32_t i = 0; i < targets->count; i++)
            targets->old[c][i] = value_null();
    }
}

static enum sqlstate raise_second_time(struct error *error)
{
    enum sqlstate failed =
        error_set(error, SQLSTATE_CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time");
    error_add(error, ERROR_HINT, "Ensure that not more than one source row matches any one target row.");
    return failed;
}

/* Drops rows from the input: those not kept. */
static void keep_rows(struct modify *modify, struct targets *targets, const bool *keep)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < targets->count; i++) {
        if (!keep[i])
            continue;
        for (uint32_t s = 0; s < modify->slots && kept != i; s++)
            targets->input[s][kept] = targets->input[s][i];
        kept++;
    }
    targets->count = kept;
}

static enum sqlstate drop_repeated(struct modify *modify, struct targets *targets, struct error *error)
{
    struct operation *step = &modify->step;
    int32_t key_slot = step->plan->target->key_slot;
    bool *keep = scope_alloc(step->scratch, targets->count + 1);
    for (uint32_t i = 0; i < targets->count; i++) {
        bool again;
        enum sqlstate failed =
            modify_note_key(modify, value_view(&targets->input[key_slot][i]), &again, error);
        if (failed)
            return failed;
        if (again && step->plan->modify == QUERY_MERGE)
            return raise_second_time(error);
        keep[i] = !again;
    }
    keep_rows(modify, targets, keep);
    return SQLSTATE_OK;
}

/* Puts the newest state of a row into the input; asks the condition again. */
static enum sqlstate take_newest(struct modify *modify, struct targets *targets, struct program *recheck,
                                 uint32_t at, struct bytes row, bool *keep, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan_target *target = step->plan->target;
    struct value *newest = scope_alloc(step->scratch, (target->relation->columns + 1) * sizeof newest[0]);
    enum sqlstate failed = writer_decode(modify->writer, row, newest, error);
    if (failed)
        return failed;
    for (uint32_t c = 0; c < target->relation->columns; c++)
        if (target->old_slot[c] >= 0)
            targets->input[target->old_slot[c]][at] = newest[c];
    if (recheck == NULL)
        return SQLSTATE_OK;
    struct value *tuple = scope_alloc(step->scratch, (modify->slots + 1) * sizeof tuple[0]), truth;
    for (uint32_t s = 0; s < modify->slots; s++)
        tuple[s] = targets->input[s][at];
    failed = program_run_row(recheck, tuple, modify->slots, step->scratch, &truth, error);
    *keep = !failed && !truth.null && truth.i;
    return failed;
}

static enum sqlstate lock_targets(struct modify *modify, struct targets *targets, struct program *recheck,
                                  enum lock_strength strength, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan_target *target = step->plan->target;
    struct scope *scope = step->scratch;
    uint32_t count = targets->count;
    enum sqlstate failed = modify->may_repeat ? drop_repeated(modify, targets, error) : SQLSTATE_OK;
    if (failed)
        return failed;
    count = targets->count;
    struct locked_row *locked = scope_alloc_zeroed(scope, (count + 1) * sizeof locked[0]);
    bool *keep = scope_alloc(scope, count + 1);
    targets->key = scope_alloc(scope, (count + 1) * sizeof targets->key[0]);
    for (uint32_t i = 0; i < count; i++)
        targets->key[i] = value_view(&targets->input[target->key_slot][i]);
    find_old(modify, targets, true);
    struct lock_request_rows request = {.table = target->relation->store,
                                        .key = targets->key,
                                        .count = count,
                                        .strength = strength,
                                        .policy = LOCK_WAIT,
                                        .relation = target->relation,
                                        .old = targets->old};
    failed = lock_rows(step->execution, scope, &request, locked, error);
    for (uint32_t i = 0; i < count && !failed; i++) {
        keep[i] = locked[i].result != ROW_GONE;
        if (locked[i].result == ROW_CHANGED)
            failed = take_newest(modify, targets, recheck, i, locked[i].row, &keep[i], error);
    }
    if (failed)
        return failed;
    keep_rows(modify, targets, keep);
    for (uint32_t i = 0; i < targets->count; i++)
        targets->key[i] = value_view(&targets->input[target->key_slot][i]);
    find_old(modify, targets, false);
    return SQLSTATE_OK;
}

static enum sqlstate update_locked(struct modify *modify, struct program **set, struct targets *targets,
                                   struct error *error)
{
    struct operation *step = &modify->step;
    uint32_t columns = step->plan->target->relation->columns;
    enum sqlstate failed = SQLSTATE_OK;
    struct batch batch = batch_of(targets->input, modify->slots, targets->count);
    struct change change = {.kind = QUERY_UPDATE,
                            .count = targets->count,
                            .scope = step->scratch,
                            .old = targets->old,
                            .new = scope_alloc(step->scratch, (columns + 1) * sizeof(struct value *)),
                            .old_key = targets->key};
    for (uint32_t c = 0; c < columns && !failed; c++) {
        change.new[c] = targets->old[c];
        if (set == NULL || set[c] == NULL)
            continue;
        change.new[c] = scope_alloc(step->scratch, (targets->count + 1) * sizeof(struct value));
        failed = program_run(set[c], &batch, step->scratch, change.new[c], error);
    }
    if (!failed)
        failed = writer_check(modify->writer, &change, error);
    if (!failed)
        failed = writer_write(modify->writer, &change, error);
    if (!failed)
        note_all(modify, change.new, targets->input, targets->count);
    return failed;
}

static enum sqlstate update(struct modify *modify, struct program **set, struct program *recheck,
                            enum lock_strength strength, struct value **input, uint32_t count,
                            struct error *error)
{
    struct targets targets = {.count = count, .input = input};
    enum sqlstate failed = lock_targets(modify, &targets, recheck, strength, error);
    return failed || targets.count == 0 ? failed : update_locked(modify, set, &targets, error);
}

static enum sqlstate delete_locked(struct modify *modify, struct targets *targets, struct error *error)
{
    struct change change = {.kind = QUERY_DELETE,
                            .count = targets->count,
                            .scope = modify->step.scratch,
                            .old = targets->old,
                            .old_key = targets->key};
    enum sqlstate failed = writer_write(modify->writer, &change, error);
    if (!failed)
        note_all(modify, change.old, targets->input, targets->count);
    return failed;
}

static enum sqlstate delete_rows(struct modify *modify, struct program *recheck, struct value **input,
                                 uint32_t count, struct error *error)
{
    struct targets targets = {.count = count, .input = input};
    enum sqlstate failed = lock_targets(modify, &targets, recheck, LOCK_UPDATE, error);
    return failed || targets.count == 0 ? failed : delete_locked(modify, &targets, error);
}

/* The only row, by its key, without a SCAN. */
static enum sqlstate modify_point(struct modify *modify, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan *plan = step->plan;
    struct targets targets = {.count = 1};
    bool found;
    enum sqlstate failed = point_take_locked(step->execution, step->execution->request.point, step->scratch,
                                             modify->strength, &targets.input, &found, error);
    if (failed || !found)
        return failed;
    targets.key = scope_alloc(step->scratch, sizeof targets.key[0]);
    targets.key[0] = value_view(&targets.input[plan->target->key_slot][0]);
    find_old(modify, &targets, false);
    return plan->modify == QUERY_UPDATE ? update_locked(modify, modify->set, &targets, error)
                                        : delete_locked(modify, &targets, error);
}

/* ---- MERGE ---- */

/* The rows each action takes: the first whose side and condition fit. */
static enum sqlstate choose_actions(struct modify *modify, const struct batch *input, uint8_t *action,
                                    struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan *plan = step->plan;
    const struct value *keys = input->column[plan->target->key_slot];
    uint16_t *selection = scope_alloc(step->scratch, BATCH_ROWS * sizeof selection[0]);
    memset(action, 0xff, BATCH_ROWS);
    for (uint32_t a = 0; a < plan->merge_actions; a++) {
        struct batch left = {.columns = input->columns, .column = input->column, .selection = selection};
        for (uint32_t i = 0; i < input->count; i++) {
            uint32_t row = batch_row(input, i);
            if (action[row] == 0xff && keys[row].null != plan->merge[a].matched)
                selection[left.count++] = (uint16_t)row;
        }
        enum sqlstate failed = SQLSTATE_OK;
        if (modify->merge[a].condition && left.count)
            failed = program_select(modify->merge[a].condition, &left, step->scratch, selection, &left.count,
                                    error);
        if (failed)
            return failed;
        for (uint32_t i = 0; i < left.count; i++)
            action[selection[i]] = (uint8_t)a;
    }
    return SQLSTATE_OK;
}

static enum sqlstate merge(struct modify *modify, const struct batch *input, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan *plan = step->plan;
    uint8_t *action = scope_alloc(step->scratch, BATCH_ROWS);
    enum sqlstate failed = choose_actions(modify, input, action, error);
    for (uint32_t a = 0; a < plan->merge_actions && !failed; a++) {
        const struct plan_merge *merge = &plan->merge[a];
        uint16_t *selection = scope_alloc(step->scratch, BATCH_ROWS * sizeof selection[0]);
        struct batch chosen = {.columns = input->columns, .column = input->column, .selection = selection};
        for (uint32_t i = 0; i < input->count; i++)
            if (action[batch_row(input, i)] == a)
                selection[chosen.count++] = (uint16_t)batch_row(input, i);
        if (chosen.count == 0)
            continue;
        struct value **dense = gather(step->scratch, &chosen);
        struct program *condition = modify->merge[a].condition;
        if (merge->kind == QUERY_INSERT)
            failed = insert(modify, modify->merge[a].set, dense, chosen.count, error);
        else if (merge->kind == QUERY_UPDATE)
            failed = update(modify, modify->merge[a].set, condition,
                            strength_of(plan->target->relation, merge->set), dense, chosen.count, error);
        else if (merge->kind == QUERY_DELETE)
            failed = delete_rows(modify, condition, dense, chosen.count, error);
    }
    return failed;
}

/* ---- batches ---- */

static enum sqlstate modify_batch(struct modify *modify, const struct batch *input, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan *plan = step->plan;
    if (plan->modify == QUERY_MERGE)
        return merge(modify, input, error);
    if (plan->modify == QUERY_INSERT && !input->selection) /* which only reads its input */
        return insert(modify, modify->set, (struct value **)(uintptr_t)input->column, input->count, error);
    struct value **dense = gather(step->scratch, input);
    switch (plan->modify) {
    case QUERY_INSERT:
        return insert(modify, modify->set, dense, input->count, error);
    case QUERY_UPDATE:
        return update(modify, modify->set, modify->recheck, modify->strength, dense, input->count, error);
    default:
        return delete_rows(modify, modify->recheck, dense, input->count, error);
    }
}

static enum sqlstate give_returning(struct modify *modify, const struct batch **batch, struct error *error)
{
    struct operation *step = &modify->step;
    const struct plan *plan = step->plan;
    uint32_t columns = plan->target->relation->columns, slots = columns + modify->slots;
    const struct value **column = scope_alloc(step->scratch, (slots + SYSTEM_COLUMNS + 1) * sizeof column[0]);
    for (uint32_t c = 0; c < columns; c++)
        column[c] = modify->done_row[c];
    for (uint32_t s = 0; s < modify->slots; s++)
        column[columns + s] = modify->done_input[s];
    for (uint32_t s = 0; s < SYSTEM_COLUMNS && plan->modify == QUERY_INSERT; s++)
        column[slots++] = &modify->done_system[s * BATCH_ROWS];
    struct batch rows = {.columns = slots, .count = modify->done, .column = column};
    for (uint32_t i = 0; i < plan->returnings; i++) {
        enum sqlstate failed =
            program_view(modify->returning[i], &rows, step->scratch, &step->column[i], error);
        if (failed)
            return failed;
    }
    step->batch.count = modify->done;
    *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate next_modify(struct operation *step, const struct batch **batch, struct error *error)
{
    struct modify *modify = (struct modify *)step;
    for (;;) {
        const struct batch *input = NULL;
        struct error written;
        bool alone = step->input[0] == NULL;
        enum sqlstate read = alone ? SQLSTATE_OK : operation_next(step->input[0], &input, error);
        /* What is under way came before: its failure counts first. */
        enum sqlstate failed = writer_finish(modify->writer, &written);
        if (failed)
            *error = written;
        if (failed || read || (alone ? modify->point_done : input == NULL))
            return failed ? failed : read;
        operation_clear_scratch(step);
        modify->done = 0;
        modify->point_done = true;
        failed = alone ? modify_point(modify, error) : modify_batch(modify, input, error);
        if (failed)
            return failed;
        if (step->plan == step->execution->modify_plan)
            step->execution->rows += modify->done;
        if (modify->done && step->plan->returnings)
            return give_returning(modify, batch, error);
    }
}

static enum sqlstate restart_modify(struct operation *step, struct error *error)
{
    struct modify *modify = (struct modify *)step;
    modify->opened = modify->point_done = false;
    return operation_restart_inputs(step, error);
}

const struct operation_ops modify_ops = {
    .bytes = sizeof(struct modify), .open = open_modify, .next = next_modify, .restart = restart_modify};
