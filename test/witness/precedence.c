/* What came before what, as a graph of instants; a circle is a contradiction.
 *
 * Instants are: the moments at which clients began or heard something (in one line, for time is one line); the commit of
 * each transaction; and the snapshot of each statement, or of a whole transaction, or none, as its level has it:
 *
 *     WITNESS_STATEMENT   snapshot 1 -> snapshot 2 -> ... -> commit
 *     WITNESS_SNAPSHOT    snapshot -> commit
 *     WITNESS_STRICT      one instant for all
 *
 * So transactions of all levels mix. Edges, where v1 and v2 are two values of a key that follow each other:
 *
 *     ww    commit of v1's writer  ->  commit of v2's writer (its snapshot, if it has one for all: what it overwrites it has
 *           seen, or it had to fail)
 *     wr    commit of v1's writer  ->  the instant of a read that saw v1
 *     rw    that instant           ->  commit of v2's writer
 *     own   a transaction's own instants, as drawn above
 *     time  an instant lies after its client asked for it and before the client heard
 *     scn   commits, in the order of the numbers the database gave them
 *
 * A plain read of a snapshot is at the snapshot; a read under a lock held until the end is at the commit, for nothing can
 * have changed between. For WITNESS_SNAPSHOT, circles without two rw edges behind each other are exactly what Cerone and
 * Gotsman ("Analysing Snapshot Isolation", 2018) forbid; with the time edges it is the strong kind: a snapshot sees what was
 * acknowledged before it was taken. */
#include "base/check.h"
#include "test/witness/graph.h"
#include "test/witness/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum edge_kind { WW = 1, WR = 2, RW = 4, OWN = 8, TIME = 16, SCN = 32 };

#define NONE UINT32_MAX

/* What a node is: for words. */
struct instant {
    uint32_t transaction; /* NONE: a moment */
    bool commit;
};

struct builder {
    struct witness *witness;
    struct witness_verdict *verdict;
    struct scope *scope;
    struct graph *graph;
    uint32_t *moment; /* tick -> node, or NONE */
    struct instant *instants;
    size_t instant_count, instant_room;
};

static uint32_t add_node(struct builder *builder, uint32_t transaction, bool commit)
{
    witness_grow(builder->scope, (void **)&builder->instants, builder->instant_count, &builder->instant_room,
                 sizeof *builder->instants);
    builder->instants[builder->instant_count++] = (struct instant){transaction, commit};
    return graph_node(builder->graph);
}

/* ---- moments ---- */

static void mark_moments(struct builder *builder)
{
    const struct witness *witness = builder->witness;
    memset(builder->moment, 0xff, (witness->ticks + 1) * sizeof *builder->moment);
    for (size_t i = 0; i < witness->transaction_count; i++) {
        const struct witness_transaction *transaction = witness->transactions[i];
        builder->moment[transaction->begun] = 0;
        if (transaction->ended)
            builder->moment[transaction->ended_at] = 0;
        for (size_t at = 0; at < transaction->count; at++)
            if (transaction->operations[at].kind == OPERATION_STATEMENT)
                builder->moment[transaction->operations[at].tick] = 0;
    }
    for (size_t i = 0; i < witness->restart_count; i++)
        builder->moment[witness->restarts[i]] = 0;
}

static void add_moments(struct builder *builder)
{
    uint32_t last = NONE;
    mark_moments(builder);
    for (uint64_t tick = 0; tick < builder->witness->ticks; tick++) {
        if (builder->moment[tick] == NONE)
            continue;
        uint32_t node = builder->moment[tick] = add_node(builder, NONE, false);
        if (last != NONE)
            graph_edge(builder->graph, last, node, TIME, 0);
        last = node;
    }
}

/* When a commit must have happened at the latest: its client heard, or the database had come back. NONE: no limit. */
static uint32_t latest_moment(const struct builder *builder, const struct witness_transaction *transaction)
{
    const struct witness *witness = builder->witness;
    if (transaction->ended && transaction->outcome == WITNESS_OK && !transaction->async)
        return builder->moment[transaction->ended_at];
    size_t low = 0, high = witness->restart_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (witness->restarts[middle] > transaction->begun)
            high = middle;
        else
            low = middle + 1;
    }
    return low < witness->restart_count ? builder->moment[witness->restarts[low]] : NONE;
}

/* ---- a transaction's instants ---- */

static void add_commits(struct builder *builder)
{
    const struct witness *witness = builder->witness;
    for (size_t i = 0; i < witness->transaction_count; i++) {
        struct witness_transaction *transaction = witness->transactions[i];
        transaction->commit_node = NONE;
        if (!transaction->committed)
            continue;
        transaction->commit_node = add_node(builder, transaction->number, true);
        graph_edge(builder->graph, builder->moment[transaction->begun], transaction->commit_node, TIME, 0);
        uint32_t latest = latest_moment(builder, transaction);
        if (latest != NONE)
            graph_edge(builder->graph, transaction->commit_node, latest, TIME, 0);
    }
}

/* Where walking through a transaction stands. */
struct walk {
    struct builder *builder;
    const struct witness_transaction *transaction;
    uint64_t statement; /* tick at which the present one began */
    uint32_t snapshot;  /* node of the present snapshot; NONE = nothing was read at it yet */
    uint32_t before;    /* node of an earlier statement's snapshot, or NONE */
};

/* The node of the present snapshot. */
static uint32_t snapshot_node(struct walk *walk)
{
    struct builder *builder = walk->builder;
    if (walk->snapshot != NONE)
        return walk->snapshot;
    walk->snapshot = add_node(builder, walk->transaction->number, false);
    graph_edge(builder->graph, builder->moment[walk->statement], walk->snapshot, TIME, 0);
    if (walk->before != NONE)
        graph_edge(builder->graph, walk->before, walk->snapshot, OWN, 0);
    if (walk->transaction->committed)
        graph_edge(builder->graph, walk->snapshot, walk->transaction->commit_node, OWN, 0);
    return walk->snapshot;
}

/* The client heard what a snapshot showed before this moment: others' snapshots may not be older from then on, unless this
 * one was allowed to see what may yet be lost. */
static void end_snapshot(struct walk *walk, uint64_t tick)
{
    if (walk->snapshot != NONE && !walk->transaction->async)
        graph_edge(walk->builder->graph, walk->snapshot, walk->builder->moment[tick], TIME, 0);
}

static void begin_statement(struct walk *walk, uint64_t tick)
{
    if (walk->transaction->level != WITNESS_STATEMENT)
        return;
    end_snapshot(walk, tick);
    if (walk->snapshot != NONE)
        walk->before = walk->snapshot;
    walk->snapshot = NONE;
    walk->statement = tick;
}

static uint32_t read_node(struct walk *walk, bool locked)
{
    if (locked || walk->transaction->level == WITNESS_STRICT)
        return walk->transaction->commit_node;
    return snapshot_node(walk);
}

/* ---- edges of a key ---- */

static const struct witness_transaction *writer_of(const struct builder *builder, uint64_t value)
{
    return builder->witness->transactions[builder->witness->writes[value].transaction];
}

static void edge_from_writer(struct builder *builder, uint64_t value, uint32_t to, uint32_t kind)
{
    uint32_t from = writer_of(builder, value)->commit_node;
    if (from != NONE)
        graph_edge(builder->graph, from, to, kind, builder->witness->writes[value].key);
}

/* The reader at node `from` has not seen that value. */
static void edge_to_writer(struct walk *walk, uint32_t from, uint64_t value)
{
    const struct witness_transaction *writer = writer_of(walk->builder, value);
    if (writer != walk->transaction && writer->commit_node != NONE)
        graph_edge(walk->builder->graph, from, writer->commit_node, RW,
                   walk->builder->witness->writes[value].key);
}

/* The transaction has overwritten (or appended behind) that value. */
static void edge_overwritten(struct walk *walk, uint64_t value)
{
    const struct witness_transaction *transaction = walk->transaction;
    if (writer_of(walk->builder, value) == transaction)
        return;
    uint32_t to = transaction->level == WITNESS_SNAPSHOT ? snapshot_node(walk) : transaction->commit_node;
    edge_from_writer(walk->builder, value, to, WW);
}

/* The last value of a writer's own row of writes that stands. */
static bool is_last(const struct builder *builder, uint64_t value)
{
    return !builder->witness->writes[value].replaced;
}

static void walk_chain_read(struct walk *walk, const struct operation *operation)
{
    const struct witness *witness = walk->builder->witness;
    if (operation->own || operation->value >= witness->write_count)
        return;
    uint32_t node = read_node(walk, operation->locked);
    uint64_t value = operation->value;
    if (value && !is_last(walk->builder, value))
        return;
    if (value)
        edge_from_writer(walk->builder, value, node, WR);
    uint64_t next = value ? witness->writes[value].next : witness->keys[operation->key].first;
    if (next)
        edge_to_writer(walk, node, next);
}

static void walk_list_read(struct walk *walk, const struct operation *operation)
{
    const struct key *key = &walk->builder->witness->keys[operation->key];
    uint32_t others = operation->count - operation->own;
    if (key->bad)
        return;
    if (operation->own) /* the key was locked when it appended: the order of writes says it all */
        return;
    uint32_t node = read_node(walk, operation->locked);
    if (others)
        edge_from_writer(walk->builder, operation->values[others - 1], node, WR);
    if (others < key->longest_count)
        edge_to_writer(walk, node, key->longest[others]);
    else
        for (uint64_t unseen = key->first; unseen; unseen = walk->builder->witness->writes[unseen].next)
            edge_to_writer(walk, node, unseen);
}

static void walk_write(struct walk *walk, const struct operation *operation)
{
    const struct witness *witness = walk->builder->witness;
    const struct write *write = &witness->writes[operation->value];
    const struct key *key = &witness->keys[operation->key];
    if (operation->undone || !walk->transaction->committed)
        return;
    if (key->kind == WITNESS_CHAIN) {
        if (write->previous && write->previous < witness->write_count)
            edge_overwritten(walk, write->previous);
    } else if (!key->bad) {
        uint32_t before = write->place ? write->place - 1 : key->longest_count;
        if (before)
            edge_overwritten(walk, key->longest[before - 1]);
    }
}

static void walk_transaction(struct builder *builder, const struct witness_transaction *transaction)
{
    struct walk walk = {.builder = builder,
                        .transaction = transaction,
                        .statement = transaction->begun,
                        .snapshot = NONE,
                        .before = NONE};
    for (size_t i = 0; i < transaction->count; i++) {
        const struct operation *operation = &transaction->operations[i];
        if (operation->kind == OPERATION_STATEMENT)
            begin_statement(&walk, operation->tick);
        else if (operation->kind == OPERATION_WRITE)
            walk_write(&walk, operation);
        else if (operation->kind == OPERATION_READ && read_counts(transaction, operation))
            walk_chain_read(&walk, operation);
        else if (operation->kind == OPERATION_READ_LIST && read_counts(transaction, operation))
            walk_list_read(&walk, operation);
    }
    if (transaction->ended)
        end_snapshot(&walk, transaction->ended_at);
}

/* Committed appends that no read ever saw come behind all that were seen. They hang on key->first, in no order. */
static void collect_unseen(struct witness *witness)
{
    for (size_t i = 1; i < witness->write_count; i++) {
        struct write *write = &witness->writes[i];
        struct key *key = &witness->keys[write->key];
        if (key->kind != WITNESS_LIST || key->bad || write->place || write->undone ||
            !witness->transactions[write->transaction]->committed)
            continue;
        write->next = key->first;
        key->first = i;
    }
}

/* ---- commit numbers ---- */

static int compare_scn(const void *left, const void *right)
{
    const struct witness_transaction *const *a = left, *const *b = right;
    return ((*a)->scn > (*b)->scn) - ((*a)->scn < (*b)->scn);
}

static void add_scn_edges(struct builder *builder)
{
    const struct witness *witness = builder->witness;
    struct witness_transaction **numbered = NULL;
    size_t count = 0, room = 0;
    for (size_t i = 0; i < witness->transaction_count; i++) {
        if (!witness->transactions[i]->committed || !witness->transactions[i]->scn)
            continue;
        witness_grow(builder->scope, (void **)&numbered, count, &room, sizeof(void *));
        numbered[count++] = witness->transactions[i];
    }
    if (count)
        qsort(numbered, count, sizeof *numbered, compare_scn);
    for (size_t i = 1; i < count; i++) {
        if (numbered[i - 1]->scn == numbered[i]->scn)
            witness_found(builder->verdict, WITNESS_SCN, "T%u and T%u both have the number %" PRIu64,
                          numbered[i - 1]->number, numbered[i]->number, numbered[i]->scn);
        graph_edge(builder->graph, numbered[i - 1]->commit_node, numbered[i]->commit_node, SCN, 0);
    }
}

/* ---- what was found ---- */

static const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case WW:
        return "ww";
    case WR:
        return "wr";
    case RW:
        return "rw";
    case OWN:
        return "own";
    case TIME:
        return "time";
    default:
        return "scn";
    }
}

/* Words for a circle: T3 -ww key 5-> T7 ... Moments are left out. */
static void describe(const struct builder *builder, const struct graph_edge **cycle, size_t count,
                     char *words, size_t room)
{
    size_t used = 0;
    words[0] = 0;
    size_t start = 0;
    while (start < count && builder->instants[cycle[start]->from].transaction == NONE)
        start++;
    for (size_t i = 0; i <= count && used < room; i++) {
        const struct graph_edge *edge = cycle[(start + i) % count];
        const struct instant *instant = &builder->instants[edge->from];
        if (instant->transaction == NONE)
            continue;
        used += (size_t)snprintf(words + used, room - used, "T%u%s", instant->transaction,
                                 instant->commit ? "" : " (snapshot)");
        if (i == count || used >= room)
            break;
        if (edge->kind & (WW | WR | RW))
            used += (size_t)snprintf(words + used, room - used, " -%s key %u-> ", kind_name(edge->kind),
                                     edge->label);
        else
            used += (size_t)snprintf(words + used, room - used, " -%s-> ", kind_name(edge->kind));
    }
}

static void look_for_cycles(struct builder *builder)
{
    static const struct {
        enum witness_class class;
        uint32_t kinds, once;
    } steps[] = {
        {WITNESS_G0, WW, 0},
        {WITNESS_G1C, WW | WR | OWN, 0},
        {WITNESS_G_SINGLE, WW | WR | RW | OWN, RW},
        {WITNESS_G2, WW | WR | RW | OWN, 0},
        {WITNESS_REALTIME, WW | WR | RW | OWN | TIME, RW},
        {WITNESS_REALTIME, WW | WR | RW | OWN | TIME, 0},
        {WITNESS_SCN, WW | WR | RW | OWN | TIME | SCN, 0},
    };
    const struct graph_edge **cycle;
    if (!graph_cycle(builder->graph, WW | WR | RW | OWN | TIME | SCN, 0, &cycle))
        return;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char words[500];
        size_t count = graph_cycle(builder->graph, steps[i].kinds, steps[i].once, &cycle);
        if (!count)
            continue;
        describe(builder, cycle, count, words, sizeof words);
        witness_found(builder->verdict, steps[i].class, "%s", words);
        return; /* weaker ones follow from it */
    }
}

void witness_find_cycles(struct witness *witness, struct witness_verdict *verdict)
{
    struct scope *scope = scope_open(witness->scope, "graph");
    struct builder builder = {
        .witness = witness, .verdict = verdict, .scope = scope, .graph = graph_open(scope)};
    builder.moment = witness_memory(scope, (witness->ticks + 1) * sizeof *builder.moment);
    add_moments(&builder);
    add_commits(&builder);
    collect_unseen(witness);
    for (size_t i = 0; i < witness->transaction_count; i++)
        walk_transaction(&builder, witness->transactions[i]);
    add_scn_edges(&builder);
    look_for_cycles(&builder);
    scope_close(scope);
}
