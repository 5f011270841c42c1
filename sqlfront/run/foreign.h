/* Keys of constraints that wait: for the end of the statement, or of the transaction. Private to sqlfront/run. */
#ifndef SYNOD_SQLFRONT_RUN_FOREIGN_H
#define SYNOD_SQLFRONT_RUN_FOREIGN_H

#include "sqlfront/run/write.h"

/* Keys to be looked at for one constraint and one side of it. */
struct foreign_work {
    struct foreign_work *next;
    const struct constraint *constraint; /* the child's */
    bool parent_side; /* keys that are no longer there: does a child still need them? Else: do they exist? */
    bool updated;     /* parent side: the key was changed, not deleted */
    bool waited;      /* until the end of the transaction: rows may have changed since */
    struct tuple_store rows; /* the child's values; parent side, updated: then the new ones */
    struct tuple_table seen;
};

struct foreign_list {
    struct scope *scope; /* owns the work: it outlives the steps that note it */
    struct foreign_work *first;
};

/* Adds a key, once. `types` are those of the columns, `columns` of them compared. */
enum sqlstate foreign_add(struct environment *environment, struct foreign_list *list,
                          const struct constraint *constraint, bool parent_side, bool updated,
                          const struct type *const *types, uint32_t columns, const struct value *values,
                          uint32_t count, struct error *error);

/* Notes a key for the end of the statement, or of the transaction where the constraint waits. */
enum sqlstate foreign_note_key(struct execution *execution, const struct constraint *constraint,
                               bool parent_side, bool updated, const struct type *const *types,
                               const struct value *values, uint32_t count, struct error *error);
/* Whether an UPDATE changes any of the columns of row `row`. */
bool columns_changed(struct row_writer *writer, const struct change *change, const int16_t *column,
                     uint32_t count, uint32_t row);
/* NULL = there is none. */
const struct index *index_of(const struct relation *relation, uint32_t oid);

/* duplicate.c: keys of a deferrable unique constraint; 23505 when two rows have one. */
enum sqlstate duplicate_note(struct row_writer *writer, const struct change *change,
                             const struct index *index, struct error *error);
enum sqlstate duplicate_work_run(struct execution *execution, struct foreign_work *work, struct error *error);

/* Does what one piece of work asks for. */
enum sqlstate foreign_work_run(struct execution *execution, struct foreign_work *work, struct error *error);

/* deferred.c: whether the constraint waits for the end of the transaction; and where its keys wait. */
bool deferred_waits(const struct deferred *deferred, const struct constraint *constraint);
enum sqlstate deferred_add(struct deferred *deferred, struct environment *environment,
                           const struct constraint *constraint, bool parent_side, bool updated,
                           const struct type *const *types, const struct value *values, uint32_t count,
                           struct error *error);

/* The error of a key of that work that violates. */
enum sqlstate raise_foreign(struct execution *execution, const struct foreign_work *work,
                            const struct relation *child, const struct relation *parent,
                            const struct value *values, bool restricted, struct error *error);

#endif
