/* What an execution did with tables and indexes, for pg_stat_user_tables and the like: added to the figures of this core when it
 * ends. Scans that fragments made are told by the number of rows they looked at. */
#include "sqlfront/run/operator.h"

/* Where figures go that have no other place: of executions without a view. */
static uint32_t database_of(const struct execution *execution)
{
    const struct catalog_view *view = execution->request.view;
    return view ? catalog_view_session(view)->database : 0;
}

struct activity *relation_activity(const struct execution *execution, const struct relation *relation)
{
    if (!relation->activity) /* a word of this core's own descriptor */
        ((struct relation *)relation)->activity =
            catalog_activity(execution->request.catalog, database_of(execution), relation->oid);
    return relation->activity;
}

static struct activity *index_activity(const struct execution *execution, const struct index *index)
{
    if (!index->activity)
        ((struct index *)index)->activity =
            catalog_activity(execution->request.catalog, database_of(execution), index->oid);
    return index->activity;
}

/* The index a scan goes by; NULL when it goes through the table. */
static const struct index *index_of(const struct plan *plan)
{
    if (plan->index && !plan->index->clustered)
        return plan->index;
    if (!plan->bounds.equals && !plan->bounds.low_kind && !plan->bounds.high_kind)
        return NULL;
    for (uint32_t i = 0; i < plan->relation->indexes; i++)
        if (plan->relation->index[i]->clustered)
            return plan->relation->index[i];
    return NULL;
}

void count_scan(const struct execution *execution, const struct plan *plan, uint64_t scans, uint64_t looked,
                uint64_t given)
{
    const struct index *index = index_of(plan);
    struct activity *activity =
        index ? index_activity(execution, index) : relation_activity(execution, plan->relation);
    activity->scans += scans;
    activity->read += index ? given : looked;
    activity->fetched += index && !plan->index_only ? given : 0;
}

/* Scans below a GATHER: their steps are the fragments'. */
static void count_elsewhere(const struct execution *execution, const struct plan *plan, uint64_t *rows)
{
    if (plan->kind == PLAN_SCAN) {
        count_scan(execution, plan, 1, *rows, *rows);
        *rows = 0;
    }
    for (uint32_t i = 0; i < plan->inputs; i++)
        count_elsewhere(execution, plan->kind == PLAN_APPEND ? plan->append[i] : plan->input[i], rows);
}

void execution_count(const struct execution *execution)
{
    uint64_t elsewhere = __atomic_load_n(execution->read_elsewhere, __ATOMIC_RELAXED);
    list_each (&execution->operations, at) {
        const struct operation *step = container_of(at, struct operation, of_execution);
        const struct node_figures *figures = &step->figures;
        const struct plan *plan = step->plan;
        if (plan->kind == PLAN_SCAN && figures->loops)
            count_scan(execution, plan, figures->loops, figures->rows + figures->rows_filtered,
                       figures->rows);
        else if (plan->kind == PLAN_LOOKUP_JOIN && step->input[0])
            count_scan(execution, plan, step->input[0]->figures.rows, figures->rows, figures->rows);
        else if (plan->kind == PLAN_GATHER && figures->loops)
            count_elsewhere(execution, plan->input[0], &elsewhere);
    }
}
