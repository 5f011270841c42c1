/* Placing: records of all cores get their positions, in an order in which causes come first.
 *
 * Each lane's parcels are taken in the order they came, record by record, until one must follow batches that have not been
 * placed; then the next lane has its turn, and so on until no lane gets on. So a record's place is behind everything its
 * port appended before it, and behind the batches it names.
 *
 * A place is a place in the group that is being filled, which a writer closes when it is due (write.c). */
#include "engine/log/inside.h"

#include "base/check.h"

/* ---- groups ---- */

static uint64_t segment_left(const struct segment *segment, uint64_t position)
{
    return segment->first + segment->bytes - position;
}

/* Goes on to the next segment, if it is ready. */
static bool next_segment(struct node_log *log)
{
    struct segment *old = log->current, *next = segment_next(log, old);
    fiber_wake_all(&log->keeper); /* makes the next one, or the one behind it */
    if (!next || !next->file)
        return false;
    log->current = next;
    if (!old->groups)
        segment_close(old);
    return true;
}

struct group *log_begin_group(struct node_log *log, size_t bytes)
{
    uint64_t at = log->end, needed = blocks_up(GROUP_HEAD_BYTES + bytes);
    if (list_empty(&log->idle))
        return NULL;
    if (at < log->current->first) { /* gone on before, and not begun for want of something */
        at = log->current->first;
    } else if (needed > segment_left(log->current, at)) {
        if (!next_segment(log))
            return NULL;
        at = log->current->first;
    }
    struct group *group = container_of(list_take_first(&log->idle), struct group, link);
    group->segment = log->current;
    group->segment->groups++;
    group->written = false;
    group->waited = 0;
    group->head = (struct group_head){.cluster = log->options.cluster,
                                      .incarnation = log->incarnation,
                                      .position = at,
                                      .previous = log->end,
                                      .bytes = GROUP_HEAD_BYTES,
                                      .kind = GROUP_RECORDS};
    log->filling = group;
    return group;
}

void log_close_filling(struct node_log *log)
{
    struct group *group = log->filling;
    log->filling = NULL;
    log->overdue = false;
    fiber_timer_clear(log->world->scheduler, &log->due);
    log->end = group_end(&group->head);
    list_append(&log->full, &group->link);
}

/* The group that takes so many bytes more, or NULL. */
static struct group *group_with_room(struct node_log *log, size_t bytes)
{
    struct group *group = log->filling;
    if (group && (group->head.bytes + bytes > log->options.write_bytes_max ||
                  group->head.bytes + bytes > segment_left(group->segment, group->head.position))) {
        log_close_filling(log);
        group = NULL;
    }
    return group ? group : log_begin_group(log, bytes);
}

/* ---- records ---- */

static bool place_entry(struct node_log *log, struct entry *entry)
{
    struct group *group = group_with_room(log, entry->record_bytes);
    if (!group)
        return false;
    uint8_t *record = entry_record(entry), *to = group->memory + group->head.bytes;
    struct log_record view;
    entry->position = group->head.position + group->head.bytes;
    if (log->options.stamp) {
        size_t bytes = record_read(record, entry->record_bytes, &view);
        check(bytes == entry->record_bytes);
        if (view.kind >= LOG_KIND_STAMPED)
            log->options.stamp(log->options.argument, entry->position, &view, record + RECORD_HEAD_BYTES);
    }
    memcpy(to, record, entry->record_bytes);
    record_seal(to, entry->record_bytes, log->incarnation, entry->position);
    group->head.bytes += entry->record_bytes;
    group->head.records++;
    group->waited += entry->notice.placed && !entry->notice.lazy;
    return true;
}

static bool may_follow(const struct node_log *log, const struct entry *entry)
{
    for (uint32_t i = 0; i < entry->after_count; i++)
        if (log->lane[entry->after[i].core].placed < entry->after[i].batch)
            return false;
    return true;
}

static void give_back(struct node_log *log, struct parcel *parcel)
{
    if (parcel->mail.from == log->world->core)
        parcel_back(parcel->port, parcel);
    else
        mail_return(log->world, &parcel->mail);
}

/* Places what can be; gives whether anything was. */
static bool place_lane(struct node_log *log, struct lane *lane)
{
    bool any = false;
    struct list_link *link;
    while ((link = list_first(&lane->parcels))) {
        struct parcel *parcel = container_of(link, struct parcel, mail.link);
        while (parcel->cursor) {
            struct entry *entry = parcel->cursor;
            lane->placed = entry->batch - 1;
            if (!may_follow(log, entry))
                return any;
            if (!place_entry(log, entry)) {
                log->blocked = true;
                return any;
            }
            parcel->cursor = entry->next;
            any = true;
        }
        lane->placed = parcel->batch;
        list_remove(link);
        give_back(log, parcel);
    }
    return any;
}

void log_place(struct node_log *log)
{
    uint32_t cores = log->world->cores;
    bool any = true, ever = false;
    if (log_life(log) != LOG_SERVING)
        return;
    log->blocked = false;
    while (any && !log->blocked) {
        any = false;
        for (uint32_t i = 0; i < cores && !log->blocked; i++)
            any |= place_lane(log, &log->lane[(log->lane_first + i) % cores]);
        ever |= any;
    }
    log->lane_first = (log->lane_first + 1) % cores;
    if (!ever)
        return;
    uint64_t placed = log->filling ? log->filling->head.position + log->filling->head.bytes : log->end;
    atomic_store_explicit(&log->placed, placed, memory_order_relaxed);
    log->used = true;
    writers_look(log);
}

void log_receive(struct node_log *log, struct parcel *parcel)
{
    enum log_life life = log_life(log);
    parcel->cursor = parcel->first;
    if (life == LOG_FAILED || life == LOG_ENDED) {
        give_back(log, parcel);
        return;
    }
    list_append(&log->lane[parcel->mail.from].parcels, &parcel->mail.link);
    log_place(log);
}

void log_refuse(struct node_log *log)
{
    for (uint32_t core = 0; core < log->world->cores; core++) {
        struct list_link *link;
        while ((link = list_take_first(&log->lane[core].parcels)))
            give_back(log, container_of(link, struct parcel, mail.link));
    }
}
