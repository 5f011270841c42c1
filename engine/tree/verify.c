/* Verification: leaf by leaf in the order of keys, each time down from the root, so that the tree may change meanwhile and
 * a damaged page costs its own range of keys and no more.
 *
 * What is compared: every page with its checksum, as it is on the disk; its inside with the format; its fences with its
 * parent's keys; extents with their checksums; the allocation map with what is reached; and, when nothing changed
 * meanwhile, that no page is reached twice and that the counts are right. */
#include "engine/tree/inside.h"

#include "base/check.h"
#include "base/fiber.h"
#include "base/scope.h"
#include "base/world.h"

#include <stdio.h>

#define SENTENCE_BYTES 256

/* An extent is read in pieces of so much. */
#define EXTENT_PIECE_BYTES (256U * 1024)

struct verify {
    struct tree *tree;
    struct scope *scope;
    struct page_set *reached;
    void (*report)(void *argument, const char *sentence, struct bytes from, struct bytes to, bool to_open);
    void *argument;
    struct error *error;
    uint64_t changes; /* of the tree, at the start */
    uint64_t rows, pages, extents;
    uint64_t findings;
    uint64_t read; /* the page that this verification itself has just read from the disk; PAGE_NONE = none */
    uint8_t *key;  /* the walk's place (TREE_KEY_BYTES_MAX) */
    size_t key_size;
    bool done;
    /* the leaf at hand */
    uint8_t *end; /* its upper fence */
    size_t end_size;
    bool end_open;
    uint64_t numbers[TREE_HEIGHT_MAX]; /* it, and inner nodes that begin where it does */
    size_t count;
};

static void found(struct verify *verify, const char *sentence, struct bytes from, struct bytes to,
                  bool to_open)
{
    verify->findings++;
    verify->report(verify->argument, sentence, from, to, to_open);
}

/* A finding about the leaf at hand. */
static void found_here(struct verify *verify, const char *sentence)
{
    found(verify, sentence, bytes_of(verify->key, verify->key_size), bytes_of(verify->end, verify->end_size),
          verify->end_open);
}

/* ---- moving on ---- */

static void end_at(struct verify *verify, struct bytes end, bool open)
{
    if (end.size)
        memmove(verify->end, end.data, end.size);
    verify->end_size = open ? 0 : end.size;
    verify->end_open = open;
}

/* Goes on behind the leaf at hand. */
static void move_on(struct verify *verify)
{
    verify->done = verify->end_open;
    if (verify->end_size)
        memcpy(verify->key, verify->end, verify->end_size);
    verify->key_size = verify->end_size;
}

/* Sets the end of the page that the way does not reach: what its parent says. */
static void end_beyond(struct verify *verify, const struct way *way)
{
    uint8_t room[FENCES_ROOM];
    const struct step *parent = way->steps ? &way->step[way->steps - 1] : NULL;
    struct fences fences = tree_child_fences(parent ? parent->node : NULL, parent ? parent->child : 0, room);
    /* In a damaged tree, too, the walk goes forwards. */
    bool open = fences.open || bytes_compare(fences.upper, bytes_of(verify->key, verify->key_size)) <= 0;
    end_at(verify, fences.upper, open);
}

/* ---- one leaf ---- */

/* What the way's pages are, while nothing can yield: counts, and numbers to be looked up on the disk. */
static const char *look(struct verify *verify, const struct way *way)
{
    struct tree *tree = verify->tree;
    const struct node *leaf = way->step[way->steps - 1].node;
    const char *fault = NULL;
    verify->count = 0;
    for (uint32_t i = way->steps; i-- > 0;) {
        const struct node *node = way->step[i].node;
        if (bytes_compare(node_fences(node).lower, bytes_of(verify->key, verify->key_size)) != 0)
            break;
        verify->numbers[verify->count++] = way->step[i].number;
        if (!fault)
            fault = node_fault(node, tree->bytes);
    }
    verify->rows += leaf->count;
    struct fences fences = node_fences(leaf);
    end_at(verify, fences.upper, fences.open);
    return fault;
}

static enum sqlstate reach(struct verify *verify, uint64_t number)
{
    char sentence[SENTENCE_BYTES];
    bool added;
    unsigned long long place = number & UINT64_C(0xffffffffff);
    if (!volume_in_use(verify->tree->volume, number)) {
        snprintf(sentence, sizeof sentence, "page %llu is part of a tree and counts as free", place);
        found_here(verify, sentence);
    }
    enum sqlstate failed = page_set_add(verify->reached, number, &added, verify->error);
    if (failed == SQLSTATE_DATA_CORRUPTED)
        return SQLSTATE_OK; /* outside of the file: reading it is reported */
    if (failed || added || verify->tree->changes != verify->changes)
        return failed;
    snprintf(sentence, sizeof sentence, "page %llu is reached twice", place);
    found_here(verify, sentence);
    return SQLSTATE_OK;
}

/* Compares the disk's copies of the pages at hand, but those just read from there. Only what can be reported is. */
static enum sqlstate check_disk(struct verify *verify)
{
    for (size_t i = 0; i < verify->count; i++) {
        size_t bad;
        if (verify->numbers[i] == verify->read)
            continue;
        enum sqlstate failed =
            volume_check(verify->tree->volume, &verify->numbers[i], 1, &bad, verify->error);
        if (failed == SQLSTATE_DATA_CORRUPTED || failed == SQLSTATE_IO_ERROR)
            found_here(verify, error_text(verify->error, ERROR_MESSAGE));
        else if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* Reads an extent to its end. */
static enum sqlstate read_extent(struct verify *verify, const struct tree_value *value, struct error *error)
{
    struct scope *scope = scope_open(verify->scope, "extent");
    void *piece;
    enum sqlstate failed = scope_alloc_large(scope, EXTENT_PIECE_BYTES, 16, &piece, error);
    for (uint64_t at = 0; at < value->size && !failed; at += EXTENT_PIECE_BYTES) {
        uint64_t left = value->size - at;
        failed = volume_extent_read(verify->tree->volume, scope, value->extent, at, piece,
                                    left < EXTENT_PIECE_BYTES ? left : EXTENT_PIECE_BYTES, error);
    }
    scope_close(scope);
    return failed;
}

/* The extents of the leaf at hand, one by one: each time the leaf is looked up again, for it may have changed. */
static enum sqlstate check_extents(struct verify *verify, uint64_t number)
{
    struct tree *tree = verify->tree;
    uint8_t room[TREE_KEY_BYTES_MAX];
    for (uint32_t index = 0;; index++) {
        struct page *page = volume_find(tree->volume, number);
        const struct node *leaf = page ? (const struct node *)page->body : NULL;
        while (leaf && index < leaf->count && !node_cell(leaf, index).extent)
            index++;
        if (!leaf || index >= leaf->count || tree->changes != verify->changes) {
            if (page)
                volume_unpin(tree->volume, page);
            return SQLSTATE_OK;
        }
        struct cell cell = node_cell(leaf, index);
        struct tree_value value = tree_value_of(&cell);
        struct bytes key = node_key(leaf, index, room);
        volume_unpin(tree->volume, page);
        verify->extents++;
        size_t pages = volume_extent_pages(tree->volume, value.size);
        enum sqlstate failed = read_extent(verify, &value, verify->error);
        for (size_t i = 0; i < pages && !failed; i++)
            failed = reach(verify, value.extent + i);
        if (failed == SQLSTATE_DATA_CORRUPTED || failed == SQLSTATE_IO_ERROR)
            found(verify, error_text(verify->error, ERROR_MESSAGE), key, key, false);
        else if (failed)
            return failed;
    }
}

static enum sqlstate check_leaf(struct verify *verify, const struct way *way)
{
    char sentence[SENTENCE_BYTES];
    uint64_t number = way->step[way->steps - 1].number;
    const char *fault = look(verify, way);
    enum sqlstate failed = SQLSTATE_OK;
    if (fault) {
        snprintf(sentence, sizeof sentence, "page %llu of a tree is damaged in memory: %s",
                 (unsigned long long)(number & UINT64_C(0xffffffffff)), fault);
        found_here(verify, sentence);
    }
    for (size_t i = 0; i < verify->count && !failed; i++) {
        verify->pages++;
        failed = reach(verify, verify->numbers[i]);
    }
    if (!failed)
        failed = check_disk(verify);
    if (!failed && !fault && verify->tree->root.extents)
        failed = check_extents(verify, number);
    return failed;
}

/* ---- the walk ---- */

static enum sqlstate step(struct verify *verify)
{
    struct way way;
    struct tree *tree = verify->tree;
    uint64_t missing;
    char sentence[SENTENCE_BYTES];
    struct bytes key = bytes_of(verify->key, verify->key_size);
    enum sqlstate failed = SQLSTATE_OK;
    switch (tree_descend(tree, key, TO_KEY, 0, true, &way, &missing)) {
    case TREE_FOUND:
        failed = check_leaf(verify, &way);
        verify->read = PAGE_NONE;
        break;
    case TREE_MISSING:
        end_beyond(verify, &way);
        failed = tree_fetch(tree, missing, verify->error);
        verify->read = missing;
        if (!failed)
            return SQLSTATE_OK;
        if (failed != SQLSTATE_DATA_CORRUPTED && failed != SQLSTATE_IO_ERROR)
            return failed;
        failed = SQLSTATE_OK;
        if (volume_in_use(tree->volume, missing) || tree->changes == verify->changes)
            found_here(verify, error_text(verify->error, ERROR_MESSAGE));
        else
            return SQLSTATE_OK; /* it was freed while it was read */
        break;
    case TREE_ABSENT:
    case TREE_DAMAGED:
        end_beyond(verify, &way);
        snprintf(sentence, sizeof sentence, "page %llu of a tree breaks the format, or is not its parent's",
                 (unsigned long long)(missing & UINT64_C(0xffffffffff)));
        found_here(verify, sentence);
        break;
    }
    move_on(verify);
    return failed;
}

static void compare_count(struct verify *verify, const char *what, uint64_t counted, uint64_t recorded)
{
    char sentence[SENTENCE_BYTES];
    if (counted == recorded)
        return;
    snprintf(sentence, sizeof sentence, "a tree holds %llu %s and counts %llu", (unsigned long long)counted,
             what, (unsigned long long)recorded);
    found(verify, sentence, bytes_of(NULL, 0), bytes_of(NULL, 0), true);
}

enum sqlstate tree_verify(struct tree *tree,
                          void (*report)(void *argument, const char *sentence, struct bytes from,
                                         struct bytes to, bool to_open),
                          void *argument, struct error *error)
{
    struct scope *scope = scope_open(tree->scope, "tree verify");
    struct verify *verify = scope_alloc_zeroed(scope, sizeof *verify);
    *verify = (struct verify){.tree = tree,
                              .scope = scope,
                              .reached = page_set_open(scope, tree->volume),
                              .report = report,
                              .argument = argument,
                              .error = error,
                              .changes = tree->changes,
                              .key = scope_alloc(scope, TREE_KEY_BYTES_MAX),
                              .end = scope_alloc(scope, TREE_KEY_BYTES_MAX)};
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && !verify->done && tree->root.height > 0)
        failed = step(verify);
    if (!failed && verify->findings == 0 && tree->changes == verify->changes) {
        compare_count(verify, "rows", verify->rows, tree->root.rows);
        compare_count(verify, "pages", verify->pages, tree->root.pages);
        compare_count(verify, "values in extents", verify->extents, tree->root.extents);
    }
    scope_close(scope);
    return failed;
}
