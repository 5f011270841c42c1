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
    uint64_t unread; /* the page that the disk did not give when it was last asked; PAGE_NONE = none */
    uint8_t *key;    /* the walk's place (TREE_KEY_BYTES_MAX) */
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

/* Whether the page is still on the way to the leaf at hand: if not, its place may hold something else by now. */
static bool on_way(struct verify *verify, uint64_t number)
{
    struct way way;
    uint64_t missing;
    struct bytes key = bytes_of(verify->key, verify->key_size);
    if (verify->tree->root.height == 0)
        return false;
    bool there =
        tree_descend(verify->tree, key, TO_KEY, 0, true, &way, &missing) == TREE_MISSING && missing == number;
    for (uint32_t i = 0; i < way.steps; i++)
        there = there || way.step[i].number == number;
    return there;
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
        if (failed && failed != SQLSTATE_DATA_CORRUPTED && failed != SQLSTATE_IO_ERROR)
            return failed;
        if (failed && on_way(verify, verify->numbers[i]))
            found_here(verify, error_text(verify->error, ERROR_MESSAGE));
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

/* A key whose value lies in an extent. */
struct large {
    struct verify *verify;
    uint8_t key[TREE_KEY_BYTES_MAX];
    size_t key_size;
    struct tree_value value;
    bool found;
};

static struct bytes large_key(const struct large *large)
{
    return bytes_of(large->key, large->key_size);
}

/* Stops at the first value in an extent, and behind the leaf at hand. */
static bool take_large(void *argument, struct bytes key, const struct tree_value *value)
{
    struct large *large = argument;
    const struct verify *verify = large->verify;
    if (!verify->end_open && bytes_compare(key, bytes_of(verify->end, verify->end_size)) >= 0)
        return false;
    if (value->extent == PAGE_NONE)
        return true;
    if (key.size)
        memcpy(large->key, key.data, key.size);
    large->key_size = key.size;
    large->value = *value;
    large->found = true;
    return false;
}

/* Looks for the next value in an extent within the leaf at hand, behind the last one or from the leaf's start. By key, for
 * the leaf may have changed. A leaf that cannot be read any more was sound a moment ago: the next verification tells. */
static enum sqlstate next_large(struct verify *verify, struct large *large)
{
    uint8_t bound[TREE_KEY_BYTES_MAX];
    bool first = !large->found;
    struct bytes from = first ? bytes_of(verify->key, verify->key_size) : large_key(large);
    for (large->found = false;;) {
        struct tree_walk walk = {
            .from = from, .exclusive = !first, .visit = take_large, .argument = large, .bound = bound};
        uint64_t missing;
        enum tree_answer answer = tree_walk_leaf(verify->tree, &walk, &missing);
        if (answer != TREE_MISSING)
            return SQLSTATE_OK;
        enum sqlstate failed = tree_fetch(verify->tree, missing, verify->error);
        if (failed)
            return failed;
    }
}

/* Whether the key still has the extent: if not, its pages may hold something else by now. */
static enum sqlstate still_there(struct verify *verify, const struct large *large, bool *still)
{
    struct tree_value now;
    uint64_t missing;
    enum tree_answer answer;
    while ((answer = tree_find(verify->tree, large_key(large), &now, &missing)) == TREE_MISSING) {
        enum sqlstate failed = tree_fetch(verify->tree, missing, verify->error);
        if (failed)
            return failed;
    }
    *still = answer == TREE_FOUND && now.extent == large->value.extent && now.size == large->value.size;
    return SQLSTATE_OK;
}

static enum sqlstate check_extent(struct verify *verify, const struct large *large)
{
    struct error unread = {0};
    bool still;
    enum sqlstate bad = read_extent(verify, &large->value, &unread);
    if (bad && bad != SQLSTATE_DATA_CORRUPTED && bad != SQLSTATE_IO_ERROR) {
        *verify->error = unread;
        return bad;
    }
    enum sqlstate failed = still_there(verify, large, &still);
    if (failed || !still)
        return failed;
    verify->extents++;
    if (bad)
        found(verify, error_text(&unread, ERROR_MESSAGE), large_key(large), large_key(large), false);
    size_t pages = bad ? 0 : volume_extent_pages(verify->tree->volume, large->value.size);
    for (size_t i = 0; i < pages && !failed; i++)
        failed = reach(verify, large->value.extent + i);
    return failed;
}

static enum sqlstate check_extents(struct verify *verify)
{
    struct scope *scope = scope_open(verify->scope, "extents");
    struct large *large = scope_alloc_zeroed(scope, sizeof *large);
    large->verify = verify;
    enum sqlstate failed = next_large(verify, large);
    while (!failed && large->found) {
        failed = check_extent(verify, large);
        if (!failed)
            failed = next_large(verify, large);
    }
    scope_close(scope);
    return failed == SQLSTATE_DATA_CORRUPTED || failed == SQLSTATE_IO_ERROR ? SQLSTATE_OK : failed;
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
        failed = check_extents(verify);
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
        if (failed != SQLSTATE_DATA_CORRUPTED && failed != SQLSTATE_IO_ERROR)
            return failed;
        failed = SQLSTATE_OK;
        /* While it was read it may have been freed, and its place may hold another page: only what is asked for again
         * is a finding. */
        if (verify->unread != missing) {
            verify->unread = missing;
            return SQLSTATE_OK;
        }
        found_here(verify, error_text(verify->error, ERROR_MESSAGE));
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
