/* Volumes and trees on them, whatever their pages hold: opening, reading, verifying, changing and dropping end, with errors
 * if need be, and stay within the memory they have.
 *
 * The same small volume is made again and again; an input is a list of changes to its bytes, after each of which the checksum
 * of what was changed is made right. So an input says what a disk may say that lies. Each change is 16 bytes:
 *
 *     0  1  deed (enum deed)          4  2  place: which page in use, or which superblock
 *     1  1  width of the bytes        6  2  offset in its body
 *     2  2  another place             8  8  bytes */
#include "base/check.h"
#include "base/scope.h"
#include "engine/page/format.h"
#include "engine/tree/node.h"
#include "test/fuzz/fuzz.h"
#include "test/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH        "/volume"
#define PAGE_BYTES  4096
#define FILE_BYTES  (SUPERBLOCKS_BYTES + 1024 * 1024)
#define FIRST_PLACE (SUPERBLOCKS_BYTES / PAGE_BYTES)
#define PLACES      (FILE_BYTES / PAGE_BYTES)
#define ROWS        700
#define CHANGE      16

enum deed {
    DEED_BYTES,      /* of a page's body */
    DEED_HEADER,     /* of a page's header */
    DEED_SUPERBLOCK, /* of all copies of the newer superblock */
    DEED_ROOT,       /* of the root record */
    DEED_COPY,       /* a page's body becomes another's */
    DEED_POINT,      /* a page's number is written into another's body */
    DEED_ENTRY,      /* a page's number is written into the value of another's entry */
    DEED_SIZE,       /* an extent's size is another */
    DEED_TORN,       /* a page's checksum becomes wrong */
    DEEDS,
};

/* What is made once. */
static struct {
    uint8_t file[FILE_BYTES];
    uint16_t used[PLACES]; /* places with pages of trees, extents and the allocation map */
    size_t count;
    bool made;
} original;

struct attempt {
    uint8_t *file;
    struct sim *sim;
    struct world *world;
    struct volume *volume;
    struct tree *tree;
    uint64_t found;
};

static void must(enum sqlstate failed, const struct error *error)
{
    check(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

/* What a volume that lies may be answered with. */
static void may(enum sqlstate failed, const struct error *error)
{
    check(!failed || failed == SQLSTATE_DATA_CORRUPTED ||
              failed == SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE || failed == SQLSTATE_DISK_FULL ||
              failed == SQLSTATE_OUT_OF_MEMORY || failed == SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
          "%s", error_text(error, ERROR_MESSAGE));
}

static bool has_ended(void *argument)
{
    return sim_state(argument) == SIM_ENDED;
}

/* Runs a program on a new disk that has the file. */
static void run(struct attempt *attempt, void (*act)(struct world *world, void *argument))
{
    struct sim_options options = {.seed = 1, .nodes = 1, .log_level = LOG_ERROR, .disk_bytes = 16 << 20};
    sim_faults_none(&options.faults);
    attempt->sim = sim_open(&options);
    struct sim_process *process =
        sim_start(attempt->sim, 0,
                  &(struct sim_program){.name = "fuzz", .cores = 1, .core_main = act, .argument = attempt});
    enum sim_end end = sim_run(attempt->sim, 1000 * SIM_SECOND, has_ended, process);
    check(end == SIM_UNTIL, "it does not end");
    sim_close(attempt->sim);
}

static enum sqlstate open_volume(struct attempt *attempt, struct tree_root *root, struct error *error)
{
    const struct volume_options options = {.path = PATH, .page_bytes = PAGE_BYTES, .identity = 7};
    uint8_t record[VOLUME_ROOT_BYTES_MAX] = {0};
    size_t bytes;
    enum sqlstate failed =
        volume_open(attempt->world, attempt->world->scope, &options, &attempt->volume, record, &bytes, error);
    memcpy(root, record, sizeof *root);
    return failed;
}

static void commit(struct attempt *attempt)
{
    struct error error = {0};
    struct tree_root root = tree_root(attempt->tree);
    may(volume_commit(attempt->volume, bytes_of(&root, sizeof root), &error), &error);
}

/* ---- rows ---- */

static struct bytes key_of(uint32_t number, uint8_t room[static 32])
{
    return bytes_of(room,
                    (size_t)snprintf((char *)room, 32, "%s%05u", number % 7 ? "customer/" : "", number));
}

static int by_key(const void *a, const void *b)
{
    uint8_t left[32], right[32];
    return bytes_compare(key_of(*(const uint32_t *)a, left), key_of(*(const uint32_t *)b, right));
}

/* Changes to rows, in order of keys; every so many of them is large. */
struct source {
    struct attempt *attempt;
    uint32_t numbers[ROWS];
    size_t count, next;
    uint8_t key[32];
    uint8_t value[600];
    bool remove;
};

static bool next_change(void *argument, struct bytes bound, bool open, struct tree_change *change)
{
    struct source *source = argument;
    if (source->next == source->count)
        return false;
    uint32_t number = source->numbers[source->next];
    struct bytes key = key_of(number, source->key);
    if (!open && bytes_compare(key, bound) >= 0)
        return false;
    *change = (struct tree_change){.key = key, .remove = source->remove && number % 3 != 0};
    if (!change->remove)
        change->value = bytes_of(source->value, number % 10 * 50);
    source->next++;
    return true;
}

static enum tree_replace replace_any(void *argument, const struct tree_change *change,
                                     const struct tree_value *old)
{
    (void)argument;
    (void)change;
    (void)old;
    return TREE_REPLACE;
}

/* Each call goes forward, whatever the tree is. */
static enum sqlstate apply(struct attempt *attempt, struct source *source, struct error *error)
{
    uint8_t from[TREE_KEY_BYTES_MAX], bound[TREE_KEY_BYTES_MAX], room[32];
    struct bytes first = key_of(source->numbers[0], room);
    size_t from_size = first.size, bound_size;
    bool last = false;
    const struct tree_merge merge = {.next = next_change, .replaces = replace_any, .argument = source};
    memcpy(from, first.data, first.size);
    while (!last && source->next < source->count) {
        enum sqlstate failed =
            tree_apply(attempt->tree, bytes_of(from, from_size), &merge, bound, &bound_size, &last, error);
        if (failed)
            return failed;
        check(last || bytes_compare(bytes_of(bound, bound_size), bytes_of(from, from_size)) > 0);
        memcpy(from, bound, bound_size);
        from_size = bound_size;
    }
    return SQLSTATE_OK;
}

static struct source *source_of(struct attempt *attempt, uint32_t first, uint32_t step, bool remove)
{
    struct source *source = scope_alloc_zeroed(attempt->world->scope, sizeof *source);
    source->attempt = attempt;
    source->remove = remove;
    for (uint32_t number = first; number < ROWS; number += step)
        source->numbers[source->count++] = number;
    qsort(source->numbers, source->count, sizeof *source->numbers, by_key);
    return source;
}

/* One row in an extent of three pages. */
static bool next_large(void *argument, struct bytes bound, bool open, struct tree_change *change)
{
    struct source *source = argument;
    (void)bound;
    (void)open;
    if (source->next == source->count)
        return false;
    uint64_t first = source->next++;
    memcpy(&first, source->value, sizeof first);
    *change = (struct tree_change){
        .key = key_of(source->numbers[0], source->key), .extent = first, .extent_size = 10000};
    return true;
}

static void add_large(struct attempt *attempt, uint32_t number)
{
    struct error error = {0};
    struct world *world = attempt->world;
    struct source source = {.numbers = {number}, .count = 1};
    uint8_t bound[TREE_KEY_BYTES_MAX], room[32];
    uint64_t first;
    size_t bound_size;
    bool last;
    const struct tree_merge merge = {.next = next_large, .replaces = replace_any, .argument = &source};
    must(volume_extent_new(attempt->volume, volume_extent_pages(attempt->volume, 10000), &first, &error),
         &error);
    uint8_t *bytes = scope_alloc_zeroed(world->scope, 10000);
    must(volume_extent_write(attempt->volume, world->scope, first, 0, bytes_of(bytes, 10000), &error),
         &error);
    memcpy(source.value, &first, sizeof first);
    must(tree_apply(attempt->tree, key_of(number, room), &merge, bound, &bound_size, &last, &error), &error);
}

/* ---- the original ---- */

static void transfer(struct attempt *attempt, bool write)
{
    struct error error = {0};
    struct world *world = attempt->world;
    struct file *file;
    struct scope *scope = scope_open(world->scope, "transfer");
    must(disk_open(world, scope, PATH, write ? DISK_CREATE : 0, &file, &error), &error);
    if (write) {
        must(disk_write(world, scope, file, attempt->file, FILE_BYTES, 0, &error), &error);
    } else {
        size_t done;
        must(disk_read(world, scope, file, attempt->file, FILE_BYTES, 0, &done, &error), &error);
        check(done == FILE_BYTES);
    }
    scope_close(scope);
}

static void act_make(struct world *world, void *argument)
{
    struct attempt *attempt = argument;
    struct error error = {0};
    struct tree_root root;
    attempt->world = world;
    must(open_volume(attempt, &root, &error), &error);
    attempt->tree = tree_open(world->scope, attempt->volume, &(struct tree_root){0});
    must(apply(attempt, source_of(attempt, 0, 2, false), &error), &error);
    commit(attempt);
    must(apply(attempt, source_of(attempt, 1, 2, false), &error), &error);
    for (uint32_t number = 100; number < ROWS; number += 200)
        add_large(attempt, number);
    commit(attempt);
    transfer(attempt, false);
}

static void make_original(void)
{
    struct attempt attempt = {.file = original.file};
    run(&attempt, act_make);
    for (uint16_t place = FIRST_PLACE; place < PLACES; place++) {
        struct page_header header;
        memcpy(&header, original.file + place * PAGE_BYTES, sizeof header);
        if (header.kind)
            original.used[original.count++] = place;
    }
    check(original.count > 20);
    original.made = true;
}

/* ---- lies ---- */

struct change {
    uint8_t deed, width;
    uint16_t other, place, offset;
    uint8_t bytes[8];
};
static_assert(sizeof(struct change) == CHANGE);

static uint8_t *page_at(struct attempt *attempt, uint16_t place)
{
    return attempt->file + original.used[place % original.count] * (size_t)PAGE_BYTES;
}

static void reseal(uint8_t *page)
{
    struct page_header header;
    memcpy(&header, page, sizeof header);
    page_seal(page, PAGE_BYTES, header.kind, header.volume, header.number, header.generation);
}

/* Writes as many bytes as the change has, at an offset of something so large. */
static void put(uint8_t *to, size_t bytes, const struct change *change)
{
    size_t width = (size_t)change->width % 8 + 1;
    if (width < bytes)
        memcpy(to + change->offset % (bytes - width), change->bytes, width);
}

static void lie_superblock(struct attempt *attempt, const struct change *change)
{
    struct superblock superblock[SUPERBLOCK_SLOTS];
    uint32_t newer;
    for (uint32_t slot = 0; slot < SUPERBLOCK_SLOTS; slot++)
        memcpy(&superblock[slot], attempt->file + superblock_offset(slot, 0), sizeof *superblock);
    newer = superblock[1].generation > superblock[0].generation;
    if (change->place & 1)
        newer = !newer;
    uint8_t *from = (uint8_t *)&superblock[newer] + 16; /* its checksum, version and magic are set anyway */
    if (change->deed % DEEDS == DEED_ROOT)
        put(superblock[newer].root, sizeof(struct tree_root), change);
    else
        put(from, offsetof(struct superblock, zero) - 16, change);
    superblock_seal(&superblock[newer]);
    for (uint32_t copy = 0; copy < SUPERBLOCK_COPIES; copy++)
        memcpy(attempt->file + superblock_offset(newer, copy), &superblock[newer], sizeof *superblock);
}

/* Writes eight bytes into the value of an entry, if the page is a node with such an entry; behind the value's start only of an
 * entry that has an extent, the next one there is. */
static void lie_entry(uint8_t *page, const void *bytes, size_t offset, const struct change *change)
{
    struct node *node = (struct node *)(page + PAGE_HEADER_BYTES);
    if (node_fault(node, PAGE_BYTES - PAGE_HEADER_BYTES) || node->count == 0)
        return;
    uint32_t at = change->offset % node->count;
    for (uint32_t i = 0; offset && i < node->count && !node_cell(node, at).extent; i++)
        at = (at + 1) % node->count;
    struct cell cell = node_cell(node, at);
    if (cell.value.size >= offset + 8 && (offset == 0 || cell.extent))
        memcpy((uint8_t *)cell.value.data + offset, bytes, 8);
}

static void lie(struct attempt *attempt, const struct change *change)
{
    uint8_t *page = page_at(attempt, change->place), *other = page_at(attempt, change->other);
    struct page_header header;
    struct change point = *change;
    memcpy(&header, other, sizeof header);
    switch ((enum deed)(change->deed % DEEDS)) {
    case DEED_BYTES:
        put(page + PAGE_HEADER_BYTES, PAGE_BYTES - PAGE_HEADER_BYTES, change);
        break;
    case DEED_HEADER:
        put(page, PAGE_HEADER_BYTES, change);
        break;
    case DEED_SUPERBLOCK:
    case DEED_ROOT:
        lie_superblock(attempt, change);
        return;
    case DEED_COPY:
        memcpy(page + PAGE_HEADER_BYTES, other + PAGE_HEADER_BYTES, PAGE_BYTES - PAGE_HEADER_BYTES);
        break;
    case DEED_POINT:
        point.width = sizeof header.number - 1;
        memcpy(point.bytes, &header.number, sizeof header.number);
        put(page + PAGE_HEADER_BYTES, PAGE_BYTES - PAGE_HEADER_BYTES, &point);
        break;
    case DEED_ENTRY:
        lie_entry(page, &header.number, 0, change);
        break;
    case DEED_SIZE:
        lie_entry(page, change->bytes, 8, change);
        break;
    case DEED_TORN:
        page[change->offset % PAGE_BYTES] ^= change->bytes[0];
        return;
    case DEEDS:
        break;
    }
    reseal(page);
}

/* ---- what is done with it ---- */

static void count_finding(void *argument, const char *sentence, struct bytes from, struct bytes to,
                          bool to_open)
{
    struct attempt *attempt = argument;
    check(sentence[0] && (to_open || bytes_compare(from, to) <= 0));
    attempt->found++;
}

static void verify(struct attempt *attempt)
{
    struct error error = {0};
    attempt->found = 0;
    may(tree_verify(attempt->tree, count_finding, attempt, &error), &error);
}

struct walk {
    struct attempt *attempt;
    struct tree_value large; /* the last value in an extent */
    uint64_t rows;
};

static bool visit_row(void *argument, struct bytes key, const struct tree_value *value)
{
    struct walk *walk = argument;
    check(key.size <= TREE_KEY_BYTES_MAX);
    if (value->extent != PAGE_NONE)
        walk->large = *value;
    walk->rows++;
    return true;
}

/* A value in an extent, if it is no larger than all the file. */
static void read_large(struct attempt *attempt, const struct tree_value *value)
{
    struct error error = {0};
    struct scope *scope = scope_open(attempt->world->scope, "large");
    void *memory;
    check(value->size <= FILE_BYTES, "a value of %llu bytes in a file of %d", (unsigned long long)value->size,
          FILE_BYTES);
    must(scope_alloc_large(scope, value->size + 1, 16, &memory, &error), &error);
    may(volume_extent_read(attempt->volume, scope, value->extent, 0, memory, value->size, &error), &error);
    scope_close(scope);
}

/* From one end to the other, by bounds, as scans go. Never more leaves than there are pages. */
static void walk_all(struct attempt *attempt, bool backward)
{
    struct walk walk = {.attempt = attempt};
    struct error error = {0};
    uint8_t bound[TREE_KEY_BYTES_MAX], from[TREE_KEY_BYTES_MAX];
    struct tree_walk leaf = {.at_end = true,
                             .backward = backward,
                             .visit = visit_row,
                             .argument = &walk,
                             .bound = bound,
                             .ahead = true};
    for (uint32_t leaves = 0, fetches = 0;;) {
        uint64_t missing;
        enum tree_answer answer = tree_walk_leaf(attempt->tree, &leaf, &missing);
        if (answer == TREE_MISSING) {
            check(++fetches < 10 * PLACES, "a walk asks for pages again and again");
            if (tree_fetch(attempt->tree, missing, &error))
                return;
            continue;
        }
        if (answer != TREE_FOUND)
            return;
        check(++leaves <= PLACES, "a walk does not end");
        if (walk.large.extent != PAGE_NONE)
            read_large(attempt, &walk.large);
        walk.large.extent = PAGE_NONE;
        if (leaf.last)
            return;
        memcpy(from, bound, leaf.bound_size);
        leaf.from = bytes_of(from, leaf.bound_size);
        leaf.at_end = false;
        leaf.exclusive = backward;
    }
}

static void find_some(struct attempt *attempt)
{
    struct error error = {0};
    uint8_t room[32];
    for (uint32_t number = 0; number < ROWS; number += 50) {
        struct tree_value value;
        uint64_t missing;
        enum tree_answer answer;
        uint32_t fetches = 0;
        while ((answer = tree_find(attempt->tree, key_of(number, room), &value, &missing)) == TREE_MISSING &&
               !tree_fetch(attempt->tree, missing, &error))
            check(++fetches < PLACES, "a search asks for pages again and again");
        if (answer == TREE_FOUND && value.extent != PAGE_NONE)
            read_large(attempt, &value);
    }
}

static void act_use(struct world *world, void *argument)
{
    struct attempt *attempt = argument;
    struct error error = {0};
    struct tree_root root;
    attempt->world = world;
    transfer(attempt, true);
    enum sqlstate failed = open_volume(attempt, &root, &error);
    may(failed, &error);
    if (failed)
        return;
    attempt->tree = tree_open(world->scope, attempt->volume, &root);
    find_some(attempt);
    walk_all(attempt, false);
    walk_all(attempt, true);
    verify(attempt);
    may(apply(attempt, source_of(attempt, 3, 5, true), &error), &error);
    verify(attempt);
    commit(attempt);
    may(apply(attempt, source_of(attempt, 0, 2, true), &error), &error);
    may(apply(attempt, source_of(attempt, 1, 3, false), &error), &error);
    walk_all(attempt, false);
    commit(attempt);
    verify(attempt);
    may(tree_drop(attempt->tree, &error), &error);
    commit(attempt);
    struct volume_figures figures;
    volume_figures(attempt->volume, &figures);
    check(figures.free_pages <= figures.pages && figures.temporary_pages == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attempt attempt = {0};
    if (!original.made)
        make_original();
    attempt.file = malloc(FILE_BYTES);
    check(attempt.file);
    memcpy(attempt.file, original.file, FILE_BYTES);
    for (size_t at = 0; at + CHANGE <= size && at < 16 * CHANGE; at += CHANGE) {
        struct change change;
        memcpy(&change, data + at, sizeof change);
        lie(&attempt, &change);
    }
    run(&attempt, act_use);
    free(attempt.file);
    return 0;
}
