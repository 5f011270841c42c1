/* LOCK: SELECT ... FOR UPDATE and its weaker friends (PostgreSQL manual 13.3.2).
 *
 * A row that changed between being read and being locked is shown as it is now, if the condition still lets it through; one
 * that is gone is not shown, nor is one that is skipped. Under a LIMIT no more rows are locked than are asked for; where others'
 * rows are skipped, the owner of the rows is given some more of them, and takes the first it can have. */
#include "sqlfront/run/write.h"

/* Rows that are sent along in case that others have the first ones: as many as a queue has takers, or so. */
#define SKIPPED_AT_ONCE 32

struct lock_step {
    struct operation step;
    struct program **recheck; /* per lock */
    const struct batch *input;
    uint32_t at; /* rows of it that are through */
};

static enum sqlstate open_lock(struct operation *step, struct error *error)
{
    struct lock_step *lock = (struct lock_step *)step;
    const struct plan *plan = step->plan;
    lock->recheck = scope_alloc_zeroed(step->scope, (plan->locks + 1) * sizeof lock->recheck[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->locks && !failed; i++)
        failed = operation_program(step, plan->lock[i].recheck, &lock->recheck[i], error);
    return failed;
}

static enum lock_policy policy_of(const struct plan_lock *plan)
{
    return plan->wait == WAIT_SKIP ? LOCK_SKIP : plan->wait == WAIT_ERROR ? LOCK_NOWAIT : LOCK_WAIT;
}

static enum sqlstate take_newest(struct lock_step *lock, uint32_t number, uint32_t at, struct bytes row,
                                 bool *keep, struct error *error)
{
    struct operation *step = &lock->step;
    const struct plan_lock *plan = &step->plan->lock[number];
    const struct relation *relation = plan->relation;
    for (uint32_t c = 0; c < relation->columns; c++) {
        uint16_t column = (uint16_t)c;
        if (plan->old_slot[c] < 0)
            continue;
        enum sqlstate failed =
            row_decode(relation->layout, row, &column, 1, &step->room[plan->old_slot[c]][at], error);
        if (failed)
            return failed;
    }
    if (lock->recheck[number] == NULL)
        return SQLSTATE_OK;
    uint32_t slots = step->plan->columns;
    struct value *tuple = scope_alloc(step->scratch, (slots + 1) * sizeof tuple[0]), truth;
    for (uint32_t s = 0; s < slots; s++)
        tuple[s] = step->room[s][at];
    enum sqlstate failed = program_run_row(lock->recheck[number], tuple, slots, step->scratch, &truth, error);
    *keep = *keep && !failed && !truth.null && truth.i;
    return failed;
}

/* Locks the rows of one relation, `enough` of them (0 = all); those that are gone or skipped are not kept. *count becomes how
 * many of the rows are through. */
static enum sqlstate lock_some(struct lock_step *lock, uint32_t number, uint32_t enough, uint32_t *count,
                               bool *keep, struct error *error)
{
    struct operation *step = &lock->step;
    const struct plan_lock *plan = &step->plan->lock[number];
    const struct relation *relation = plan->relation;
    struct scope *scope = step->scratch;
    struct bytes *keys = scope_alloc(scope, (*count + 1) * sizeof keys[0]);
    uint32_t *row = scope_alloc(scope, (*count + 1) * sizeof row[0]), asked = 0;
    struct locked_row *locked = scope_alloc_zeroed(scope, (*count + 1) * sizeof locked[0]);
    struct value **old = scope_alloc_zeroed(scope, (relation->columns + 1) * sizeof old[0]);
    for (uint32_t i = 0; i < *count; i++) {
        const struct value *key = &step->room[plan->key_slot][i];
        if (key->null || !keep[i])
            continue;
        for (uint32_t c = 0; c < relation->columns; c++) {
            if (plan->old_slot == NULL || plan->old_slot[c] < 0)
                continue;
            if (old[c] == NULL)
                old[c] = scope_alloc(scope, (*count + 1) * sizeof old[c][0]);
            old[c][asked] = step->room[plan->old_slot[c]][i];
        }
        row[asked] = i;
        keys[asked++] = value_view(key);
    }
    struct lock_request_rows request = {.table = relation->store,
                                        .key = keys,
                                        .count = asked,
                                        .strength = plan->strength,
                                        .policy = policy_of(plan),
                                        .relation = relation,
                                        .old = old,
                                        .enough = enough};
    enum sqlstate failed = lock_rows(step->execution, scope, &request, locked, error);
    if (failed == SQLSTATE_LOCK_NOT_AVAILABLE && plan->wait == WAIT_ERROR)
        return error_set(error, SQLSTATE_LOCK_NOT_AVAILABLE,
                         "could not obtain lock on row in relation \"%s\"", relation->name);
    for (uint32_t i = 0; i < asked && !failed; i++) {
        if (locked[i].result == ROW_UNTRIED) {
            *count = row[i];
            break;
        }
        keep[row[i]] = locked[i].result == ROW_SAME || locked[i].result == ROW_CHANGED;
        if (locked[i].result == ROW_CHANGED)
            failed = take_newest(lock, number, row[i], locked[i].row, &keep[row[i]], error);
    }
    return failed;
}

static enum sqlstate lock_batch(struct lock_step *lock, uint32_t count, uint32_t enough, struct error *error)
{
    struct operation *step = &lock->step;
    uint32_t slots = step->plan->columns, kept = 0;
    bool *keep = scope_alloc(step->scratch, count + 1);
    operation_want_room(step, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = batch_row(lock->input, lock->at + i);
        keep[i] = true;
        for (uint32_t s = 0; s < slots; s++)
            step->room[s][i] = lock->input->column[s][row];
    }
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < step->plan->locks && !failed; i++)
        failed = lock_some(lock, i, enough, &count, keep, error);
    for (uint32_t i = 0; i < count && !failed; i++) {
        for (uint32_t s = 0; s < slots && keep[i] && kept != i; s++)
            step->room[s][kept] = step->room[s][i];
        kept += keep[i];
    }
    step->batch.count = kept;
    lock->at += count;
    return failed;
}

static enum sqlstate next_lock(struct operation *step, const struct batch **batch, struct error *error)
{
    struct lock_step *lock = (struct lock_step *)step;
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        if (lock->input == NULL || lock->at == lock->input->count) {
            lock->at = 0;
            failed = operation_next(step->input[0], &lock->input, error);
            if (failed || lock->input == NULL)
                return failed;
        }
        uint32_t left = lock->input->count - lock->at;
        uint32_t count = step->wanted && step->wanted < left ? (uint32_t)step->wanted : left, enough = 0;
        if (count < left && step->plan->locks == 1 && step->plan->lock[0].wait == WAIT_SKIP) {
            enough = count;
            count = left - count < SKIPPED_AT_ONCE ? left : count + SKIPPED_AT_ONCE;
        }
        operation_clear_scratch(step);
        failed = lock_batch(lock, count, enough, error);
        if (failed)
            return failed;
        if (step->batch.count == 0)
            continue;
        *batch = &step->batch;
        return SQLSTATE_OK;
    }
}

static enum sqlstate restart_lock(struct operation *step, struct error *error)
{
    ((struct lock_step *)step)->input = NULL;
    return operation_restart_inputs(step, error);
}

const struct operation_ops lock_ops = {
    .bytes = sizeof(struct lock_step), .open = open_lock, .next = next_lock, .restart = restart_lock};
