/* A directed graph with kinds of edges, and circles in it: Tarjan's strongly connected components (1972), then a short
 * circle by breadth-first search within one. */
#ifndef SYNOD_TEST_WITNESS_GRAPH_H
#define SYNOD_TEST_WITNESS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph;
struct scope;

/* Kinds are bits, so that sets of them are masks. */
struct graph_edge {
    uint32_t from, to;
    uint32_t kind;
    uint32_t label; /* the caller's */
};

struct graph *graph_open(struct scope *scope);

/* A new node; they are numbered from 0. */
uint32_t graph_node(struct graph *graph);

/* An edge from a node to another; one to itself is left out. */
void graph_edge(struct graph *graph, uint32_t from, uint32_t to, uint32_t kind, uint32_t label);

/* Looks for a circle of edges with these kinds; with `once` (one of the kinds, or 0) it has exactly one of those. Gives
 * its edges in order, of the scope's memory, and their count; 0 when none was found. A circle that has `once` exactly once
 * may be missed when there are very many edges of that kind; any other is found if there is one. */
size_t graph_cycle(struct graph *graph, uint32_t kinds, uint32_t once, const struct graph_edge ***cycle);

#endif
