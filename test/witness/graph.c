/* Circles in graphs. */
#include "test/witness/graph.h"

#include "base/check.h"
#include "base/scope.h"
#include "test/witness/inside.h"

#include <string.h>

/* Searches begin at so many nodes (or edges) of a component: enough to find a short circle, bounded when nearly everything
 * is one component. */
#define STARTS_MAX 300

#define NONE UINT32_MAX

struct graph {
    struct scope *scope;
    uint32_t nodes;
    struct graph_edge *edges;
    size_t edge_count, edge_room;
    size_t sorted_count;    /* edges when they were last sorted by `from` */
    size_t *first;          /* of each node, in `edges`; one more at the end */
    uint32_t *component;    /* of each node; NONE when it is alone in it */
    uint32_t *index, *low;  /* Tarjan's */
    uint32_t *stack, *path; /* nodes */
    size_t *next;           /* the edge of each node to be followed next */
    size_t *came;           /* edge by which the search came to each node */
    uint32_t *reached_by;   /* number of the search that reached it */
    uint32_t *queue;        /* nodes */
    uint32_t searches;
};

struct graph *graph_open(struct scope *scope)
{
    struct graph *graph = scope_alloc_zeroed(scope, sizeof *graph);
    graph->scope = scope;
    return graph;
}

uint32_t graph_node(struct graph *graph)
{
    return graph->nodes++;
}

void graph_edge(struct graph *graph, uint32_t from, uint32_t to, uint32_t kind, uint32_t label)
{
    check(from < graph->nodes && to < graph->nodes);
    if (from == to)
        return;
    witness_grow(graph->scope, (void **)&graph->edges, graph->edge_count, &graph->edge_room,
                 sizeof *graph->edges);
    graph->edges[graph->edge_count++] = (struct graph_edge){from, to, kind, label};
}

/* ---- preparing ---- */

static void *array_of(struct graph *graph, size_t count, size_t element)
{
    return witness_memory(graph->scope, (count + 1) * element);
}

/* Sorts the edges by where they begin, keeping their order otherwise. */
static void sort_edges(struct graph *graph)
{
    if (graph->first && graph->sorted_count == graph->edge_count)
        return;
    size_t *first = graph->first = array_of(graph, (size_t)graph->nodes + 1, sizeof *first);
    struct graph_edge *sorted = array_of(graph, graph->edge_count, sizeof *sorted);
    size_t *place = array_of(graph, graph->nodes, sizeof *place);
    for (size_t i = 0; i < graph->edge_count; i++)
        first[graph->edges[i].from + 1]++;
    for (uint32_t i = 0; i < graph->nodes; i++)
        place[i + 1] = first[i + 1] += first[i];
    place[0] = 0;
    for (size_t i = 0; i < graph->edge_count; i++)
        sorted[place[graph->edges[i].from]++] = graph->edges[i];
    graph->edges = sorted;
    graph->edge_room = graph->sorted_count = graph->edge_count;
    graph->component = array_of(graph, graph->nodes, sizeof *graph->component);
    graph->index = array_of(graph, graph->nodes, sizeof *graph->index);
    graph->low = array_of(graph, graph->nodes, sizeof *graph->low);
    graph->stack = array_of(graph, graph->nodes, sizeof *graph->stack);
    graph->path = array_of(graph, graph->nodes, sizeof *graph->path);
    graph->next = array_of(graph, graph->nodes, sizeof *graph->next);
    graph->came = array_of(graph, graph->nodes, sizeof *graph->came);
    graph->reached_by = array_of(graph, graph->nodes, sizeof *graph->reached_by);
    graph->queue = array_of(graph, graph->nodes, sizeof *graph->queue);
}

/* ---- components ---- */

struct tarjan {
    struct graph *graph;
    uint32_t kinds;
    uint32_t indices; /* given out, from 1 */
    size_t stacked, depth;
    uint32_t components;
};

static void tarjan_enter(struct tarjan *tarjan, uint32_t node)
{
    struct graph *graph = tarjan->graph;
    graph->index[node] = graph->low[node] = ++tarjan->indices;
    graph->next[node] = graph->first[node];
    graph->stack[tarjan->stacked++] = node;
    graph->path[tarjan->depth++] = node;
}

/* All that is reachable from the node was looked at: what is on the stack from it on is a component. */
static void tarjan_leave(struct tarjan *tarjan, uint32_t node)
{
    struct graph *graph = tarjan->graph;
    tarjan->depth--;
    if (tarjan->depth) {
        uint32_t *low = &graph->low[graph->path[tarjan->depth - 1]];
        if (graph->low[node] < *low)
            *low = graph->low[node];
    }
    if (graph->low[node] != graph->index[node])
        return;
    bool alone = graph->stack[tarjan->stacked - 1] == node;
    uint32_t number = alone ? NONE : tarjan->components++;
    uint32_t member;
    do {
        member = graph->stack[--tarjan->stacked];
        graph->component[member] = number;
        graph->index[member] = NONE; /* off the stack */
    } while (member != node);
}

static void tarjan_visit(struct tarjan *tarjan, uint32_t root)
{
    struct graph *graph = tarjan->graph;
    tarjan_enter(tarjan, root);
    while (tarjan->depth) {
        uint32_t node = graph->path[tarjan->depth - 1];
        if (graph->next[node] == graph->first[node + 1]) {
            tarjan_leave(tarjan, node);
            continue;
        }
        const struct graph_edge *edge = &graph->edges[graph->next[node]++];
        if (!(edge->kind & tarjan->kinds))
            continue;
        if (!graph->index[edge->to])
            tarjan_enter(tarjan, edge->to);
        else if (graph->index[edge->to] != NONE && graph->index[edge->to] < graph->low[node])
            graph->low[node] = graph->index[edge->to];
    }
}

/* Gives how many components have more than one node. */
static uint32_t find_components(struct graph *graph, uint32_t kinds)
{
    struct tarjan tarjan = {.graph = graph, .kinds = kinds};
    memset(graph->index, 0, graph->nodes * sizeof *graph->index);
    for (uint32_t i = 0; i < graph->nodes; i++)
        if (!graph->index[i])
            tarjan_visit(&tarjan, i);
    return tarjan.components;
}

/* ---- circles ---- */

/* The shortest way within a component; gives the number of its edges, 0 when there is none. The way is then found by going
 * back from `to` along `came`. With from == to it is a circle. */
static size_t search(struct graph *graph, uint32_t from, uint32_t to, uint32_t kinds)
{
    uint32_t number = ++graph->searches;
    uint32_t *queue = graph->queue; /* each node enters once, a circle's end not at all */
    size_t head = 0, tail = 0;
    queue[tail++] = from;
    if (from != to)
        graph->reached_by[from] = number;
    while (head < tail) {
        uint32_t node = queue[head++];
        for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
            const struct graph_edge *edge = &graph->edges[i];
            if (!(edge->kind & kinds) || graph->component[edge->to] != graph->component[from] ||
                graph->reached_by[edge->to] == number)
                continue;
            graph->reached_by[edge->to] = number;
            graph->came[edge->to] = i;
            if (edge->to == to) {
                size_t length = 1;
                for (uint32_t at = edge->from; at != from; at = graph->edges[graph->came[at]].from)
                    length++;
                return length;
            }
            queue[tail++] = edge->to;
        }
    }
    return 0;
}

static void take_way(struct graph *graph, uint32_t from, uint32_t to, size_t length,
                     const struct graph_edge **way)
{
    uint32_t at = to;
    for (size_t i = length; i-- > 0;) {
        way[i] = &graph->edges[graph->came[at]];
        at = way[i]->from;
    }
    check(at == from);
}

static size_t find_circle(struct graph *graph, uint32_t kinds, const struct graph_edge ***cycle)
{
    size_t shortest = 0, starts = 0;
    for (uint32_t node = 0; node < graph->nodes && starts < STARTS_MAX; node++) {
        if (graph->component[node] == NONE)
            continue;
        starts++;
        size_t length = search(graph, node, node, kinds);
        if (!length || (shortest && length >= shortest))
            continue;
        shortest = length;
        *cycle = array_of(graph, length, sizeof **cycle);
        take_way(graph, node, node, length, *cycle);
    }
    return shortest;
}

static size_t find_circle_once(struct graph *graph, uint32_t kinds, uint32_t once,
                               const struct graph_edge ***cycle)
{
    size_t shortest = 0, starts = 0;
    for (size_t i = 0; i < graph->edge_count && starts < STARTS_MAX; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        if (edge->kind != once || graph->component[edge->from] == NONE ||
            graph->component[edge->from] != graph->component[edge->to])
            continue;
        starts++;
        size_t length = search(graph, edge->to, edge->from, kinds & ~once);
        if (!length || (shortest && length + 1 >= shortest))
            continue;
        shortest = length + 1;
        *cycle = array_of(graph, shortest, sizeof **cycle);
        (*cycle)[0] = edge;
        take_way(graph, edge->to, edge->from, length, *cycle + 1);
    }
    return shortest;
}

size_t graph_cycle(struct graph *graph, uint32_t kinds, uint32_t once, const struct graph_edge ***cycle)
{
    *cycle = NULL;
    sort_edges(graph);
    if (!find_components(graph, kinds))
        return 0;
    return once ? find_circle_once(graph, kinds, once, cycle) : find_circle(graph, kinds, cycle);
}
