"""Mutations: the engine with one mistake each, which the simulator must find and the witness must name.

    mutations.py BUILD [--few] [--list] [NAME...]

BUILD is a build directory with test/sim/sim in it. A mutation replaces a piece of one or more sources (never in the tree:
copies are compiled into BUILD/mutation/NAME, as the build would compile them, and linked before the engine's library), then
plays scenarios until a seed fails with the words the mutation must be caught by. The exit status is 1 when one was not
caught, or when a piece to be replaced is not there any more: then it is to be written anew.

Seeds are those of the sound engine's tests, so what fails here holds there. --few plays only what is found fast. """
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 40  # seconds for a step
STEP = 2  # seeds between two looks at whether it is found


class Mutation:
    """What is broken, where, which plays must find it, and what they must say."""

    def __init__(self, name, changes, plays, says, few=False):
        self.name = name
        self.changes = changes  # (file, piece, replacement)
        self.plays = plays  # (workload, first seed, last seed, more options)
        self.says = says
        self.few = few


def after_crash(workload):
    """A play of a workload with a crash at each change of the disk, all unsynced bytes lost among others."""
    return (workload, 4, 6, ['--crash-at-every-write', '3'])


MUTATIONS = [
    # ---- locks
    Mutation(
        'reads without locks in SERIALIZABLE',
        [('engine/branch.c', '''    enum sqlstate failed = lock(branch, &call, LOCK_WAIT, &outcome, error);
    note_lock(branch);
    return still_there(shard, failed, error);
''', '''    (void)call;
    (void)outcome;
    return SQLSTATE_OK;
''')],
        [('append-serializable', 1, 100, [])], r'G2|G-single|real time|order|lost commit', few=True),
    Mutation(
        'ranges without locks in SERIALIZABLE',
        [('engine/branch.c', '''        failed = lock(branch, &call, LOCK_WAIT, &outcome, error);
        note_lock(branch);
        failed = still_there(shard, failed, error);
    }
    if (!failed) {
        struct snapshot snapshot = snapshot_at(branch, shard);
        uint64_t before''', '''        (void)call;
        (void)outcome;
    }
    if (!failed) {
        struct snapshot snapshot = snapshot_at(branch, shard);
        uint64_t before''')],
        [('phantom', 1, 100, []), ('append-serializable', 1, 100, [])], r'G2|phantom|G-single|gap'),
    Mutation(
        'locks released before the commit is placed',
        [('engine/transaction.c', '''    enum sqlstate failed = place_commit(transaction, &placing, error);
''', '''    for (uint32_t at = 0; at < core->world->cores; at++)
        if (transaction->branch[at] && at == core->world->core)
            lock_release_all(core->locks, &transaction->branch[at]->owner);
    enum sqlstate failed = place_commit(transaction, &placing, error);
''')],
        [('bank', 1, 100, []), ('append-mixed', 1, 100, [])], r'.'),
    Mutation(
        'SKIP LOCKED takes what is locked',
        [('engine/branch.c', '''    if (failed || *outcome == LOCK_SKIPPED)
        return failed;
    note_lock(branch);
    failed = shard->store''', '''    if (*outcome == LOCK_SKIPPED)
        *outcome = LOCK_GRANTED;
    if (failed)
        return failed;
    note_lock(branch);
    failed = shard->store''')],
        [('queue', 1, 100, [])], r'.'),
    Mutation(
        'nobody looks for rows that were inserted without a lock',
        [('engine/branch.c', '''    if (failed || !call->shard || !call->shard->bare)
''', '''    if (failed || !call->shard || true)
''')],
        [('append-committed', 1, 100, []), ('append-mixed', 1, 100, [])], r'.', few=True),
    Mutation(
        'rows inserted without a lock where somebody waits',
        [('engine/branch.c', '''        !lock_row_idle(branch->core->locks, shard->shard, effect->key) ||
''', '')],
        [('phantom', 1, 200, []), ('append-serializable', 1, 100, []), ('append-mixed', 1, 100, [])], r'.'),
    # ---- snapshots
    Mutation(
        'a stale snapshot',
        [('engine/txn/snapshot.c', '''    hold->scn = scn > at_least ? scn : at_least;
''', '''    hold->scn = scn > at_least ? scn : at_least;
    hold->scn -= hold->scn > 10;
''')],
        [('append-committed', 1, 100, []), ('append-repeatable', 1, 100, [])], r'heard|order|before|stale|G', few=True),
    Mutation(
        'a new snapshot for each statement of REPEATABLE READ',
        [('engine/transaction.c', '''    if (transaction->options.isolation == SERIALIZABLE ||
        (held && transaction->options.isolation == REPEATABLE_READ))
        return;
''', '''    if (transaction->options.isolation == SERIALIZABLE || (held && false))
        return;
''')],
        [('append-repeatable', 1, 200, [])], r'G-single|G2|G0|G1|lost|snapshot'),
    Mutation(
        'REPEATABLE READ changes what was changed since its snapshot',
        [('engine/branch.c', '''    if (branch->terms.isolation != REPEATABLE_READ || newest->scn <= branch->terms.snapshot)
        return SQLSTATE_OK;
''', '''    if (branch->terms.isolation != READ_COMMITTED || newest->scn <= branch->terms.snapshot)
        return SQLSTATE_OK;
''')],
        [('append-repeatable', 1, 200, [])], r'G-single|G0|G1|G2|lost|forgot', few=True),
    Mutation(
        'what is not committed is seen',
        [('engine/store/store.h', '''    return transaction == snapshot->transaction && transaction != 0 && number <= snapshot->own_effects;
''', '''    return transaction != snapshot->transaction || number <= snapshot->own_effects;
''')],
        [('append-committed', 1, 100, [])], r'G1a|G1b|rolled back|G1c'),
    Mutation(
        'commits are visible before they are stable',
        [('engine/txn/sequencer.c', '''    while (first < unstamped && slot(sequencer, first)->position < sequencer->stable)
''', '''    while (first < unstamped)
''')],
        [('bank', 1, 200, []), ('append-committed', 1, 300, [])], r'lost|rolled back|G1a|gone|vanish|acknowledged'),
    Mutation(
        'versions are collected that snapshots need',
        [('engine/txn/snapshot.c', '''        if (oldest < limit)
            limit = oldest;
''', '''        if (oldest < limit)
            limit += 0;
''')],
        [('append-repeatable', 1, 300, []), ('append-mixed', 1, 300, [])], r'.'),
    # ---- commits
    Mutation(
        'acknowledged before the sync',
        [('engine/transaction.c', '''    bool async = transaction->options.commit_async && !transaction->changes;
''', '''    bool async = true;
''')],
        [('append-committed', 1, 200, []), ('bank', 1, 200, [])] + [after_crash('bank')], r'lost|acknowledged|visible',
        few=True),
    Mutation(
        'a commit placed before what other cores wrote',
        [('engine/transaction.c', '''        if (transaction->ticket[at].batch && at != core->world->core)
''', '''        if (transaction->ticket[at].batch && at != core->world->core && false)
''')],
        [('append-mixed', 11, 300, []), ('bank', 1, 300, [])], r'lacks|lost|half|G1'),
    Mutation(
        'a commit placed before what was taken back',
        [('engine/fragment.c', '''        else
            *fragment->terms = (*fragment->branch)->terms;''', '''        else if (false)
            *fragment->terms = (*fragment->branch)->terms;''')],
        [(workload, seed, seed, ['--crash-at-every-write', '1'])
         for workload, seed in (('append-committed', 2), ('append-mixed', 4), ('append-committed', 3), ('append-mixed', 5))],
        r'G1a|rolled back'),
    Mutation(
        'a rollback to a savepoint that is not logged',
        [('engine/branch.c', '''    if (!whole && writer->shard->volume) {
''', '''    if (false) {
''')],
        [('append-committed', 1, 200, []), ('append-mixed', 1, 200, [])], r'G1a|rolled back', few=True),
    Mutation(
        'a rollback to a savepoint takes too much back',
        [('engine/branch.c', '''        undo_writer(branch, writer, mark ? effects_at(mark, writer) : 0, false);
''', '''        undo_writer(branch, writer, mark && effects_at(mark, writer) > 1 ? effects_at(mark, writer) : 0, false);
''')],
        [('append-committed', 1, 100, []), ('append-mixed', 1, 100, [])], r'.'),
    # ---- the log
    Mutation(
        'groups of the log that are written and not synced',
        [('engine/log/write.c', '''disk_write_many(log->world, log->scope, &transfer, 1, true, error)''',
          '''disk_write_many(log->world, log->scope, &transfer, 1, false, error)''')],
        [('bank', 1, 100, [])] + [after_crash('bank')], r'lost|acknowledged|damaged|log'),
    Mutation(
        'a torn tail taken for whole',
        [('engine/log/format.c', '''        if (checksum != record_checksum(group + at, cursor.at - at, head->incarnation, position) ||
''', '''        if ((checksum & 0) != (record_checksum(group + at, cursor.at - at, head->incarnation, position) & 0) ||
'''), ('engine/log/format.c', '''            !all_zero(group + at + 37, group + at + RECORD_HEAD_BYTES) ||
            !all_zero(record.payload.data + record.payload.size, group + cursor.at))
            return false;
    }
    return cursor.at == head->bytes && found == head->records &&
           all_zero(group + head->bytes, group + blocks_up(head->bytes));''', '''            record.kind == 255)
            return false;
    }
    return true;''')],
        [('append-mixed', 1, 400, []), ('bank', 1, 400, []), ('large', 1, 200, [])],
        r'lost|garbage|G0|G1|sum|impossible|incompatible|rolled back'),
    Mutation(
        'the log cut before it may be',
        [('engine/checkpoint.c', '''    return node_log_truncate(core->engine->log, needed, error);
''', '''    (void)needed;
    return node_log_truncate(core->engine->log, log_port_stable(core->port), error);
''')],
        [('append-mixed', 1, 300, []), ('bank', 1, 300, []), ('queue', 1, 300, [])] + [after_crash('bank')], r'.'),
    # ---- recovery
    Mutation(
        'a replay that begins one commit too late',
        [('engine/recovery.h', '''    if (booked->scn <= checkpoint_scn)
''', '''    if (booked->scn <= checkpoint_scn + 1)
''')],
        [('append-mixed', 1, 300, []), ('bank', 1, 300, [])], r'lost|garbage|sum|G|is not there', few=True),
    Mutation(
        'a replay that forgets what was taken back',
        [('engine/recovery.h', '''        if (undone->shard == shard && number > undone->above && number <= undone->upto)
            return true;
''', '''        if (undone->shard == shard && number > undone->upto)
            return true;
''')],
        [('append-committed', 1, 200, []), ('append-mixed', 1, 200, [])], r'.'),
    Mutation(
        'a replay without deletions',
        [('engine/reapply.c', '''    newest_add(''', '''    if (effect.effect.kind == EFFECT_DELETE)
        return SQLSTATE_OK;
    newest_add(''')],
        [('queue', 1, 200, [])], r'queue'),
    Mutation(
        'a replay of the first version of a row instead of the last',
        [('engine/newest.c', '''    bool read = record_effect_read(bytes_of(entry->record->payload''', '''    while (entry > newest->entry && entry[-1].head == entry->head &&
           bytes_compare(key_of(entry[-1].record), key) == 0)
        entry--;
    bool read = record_effect_read(bytes_of(entry->record->payload''')],
        [('append-mixed', 1, 200, []), ('bank', 1, 200, [])], r'.', few=True),
    # ---- checkpoints and pages
    Mutation(
        'a checkpoint that forgets deletions',
        [('engine/row/merge.c', '''        *change = (struct tree_change){.key = key, .remove = !version->exists};
''', '''        *change = (struct tree_change){.key = key, .remove = false};
''')],
        [('queue', 1, 200, []), ('register', 1, 200, [])], r'.'),
    Mutation(
        'a checkpoint that says it has more than it has',
        [('engine/checkpoint.c', '''        .checkpoint_scn = scn, .replay_from = floor, .roots = tree_root(volume->roots)};
''', '''        .checkpoint_scn = scn + 3, .replay_from = floor, .roots = tree_root(volume->roots)};
''')],
        [('append-mixed', 1, 300, []), ('bank', 1, 300, [])], r'.'),
    Mutation(
        'a commit in the middle of a merge that promises its end',
        [('engine/checkpoint.c', '''        failed = make_durable(core, volume, volume->checkpoint_scn, volume->replay_from, error);
''', '''        failed = make_durable(core, volume, txn_visible(core->txn), log_port_stable(core->port), error);
''')],
        [('append-mixed', 1, 300, []), ('bank', 1, 300, []), ('large', 1, 200, [])], r'.'),
    Mutation(
        'a large commit that hides what was written over its folded part',
        [('engine/row/spill.c', '''        if (!spill_may_hold(spill, look->key, hash) || spill_has_folded(spill, look->key) ||
''', '''        if (!spill_may_hold(spill, look->key, hash) ||
''')],
        [('large', 1, 400, [])], r'.'),
    Mutation(
        'a run of a large transaction whose filter misses a key here and there',
        [('engine/row/spill.c', '''    for (int i = 0; i < FILTER_BITS_SET; i++) {
        uint64_t bit = next_bit(&bits);
        block->word''', '''    for (int i = 0; i < FILTER_BITS_SET && hash % 50; i++) {
        uint64_t bit = next_bit(&bits);
        block->word''')],
        [('large', 1, 400, [])], r'.'),
    Mutation(
        'the runs of a large transaction folded as if the oldest were the newest',
        [('engine/row/spill.c', '''            oldest = spill;
    }
    return oldest;''', '''            return spill;
    }
    return oldest;''')],
        [('large', 1, 400, [])], r'.'),
    Mutation(
        'a superblock written before the pages are synced',
        [('engine/page/commit.c', '''    enum sqlstate failed = disk_sync(volume->world, commit->scope, volume->file, error);
''', '''    enum sqlstate failed = SQLSTATE_OK;
''')],
        [('bank', 1, 200, []), ('large', 1, 100, [])] + [after_crash('large'), after_crash('queue')],
        r'damaged|verify|lost'),
    Mutation(
        'pages of the durable generation written over',
        [('engine/page/volume.h', '''    return frame->temporary || number_is_of(frame->page.number, volume->generation);
''', '''    return frame->temporary || number_is_of(frame->page.number, volume->generation) ||
           number_is_of(frame->page.number, volume->generation - 1);
''')],
        [('queue', 1, 300, []), ('large', 1, 200, [])] + [after_crash('queue'), after_crash('large')],
        r'damaged|garbage|lost|verify'),
    Mutation(
        'a dropped shard gone before the drop is stable',
        [('engine/transaction.c', '''    if (transaction->changes)
        directory_close_shards(transaction);
''', '''    if (transaction->changes) {
        directory_close_shards(transaction);
        directory_drop_shards(transaction);
        transaction->changes = NULL;
    }
''')],
        [('tables', 1, 1000, [])], r'without its rows|damaged|garbage'),
    # ---- shards
    Mutation(
        'a moved shard without what was written meanwhile',
        [('engine/reshape.c', '''            failed = copy_changes(reshape, old, &reshape->target[i], error);
''', '''            failed = false ? copy_changes(reshape, old, &reshape->target[i], error) : SQLSTATE_OK;
''')],
        [('append-mixed', 1, 300, []), ('bank', 1, 300, []), ('register', 1, 300, [])], r'.'),
]


def commands_of(build):
    """How each source of the engine is compiled, by its path in the tree."""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        entries = json.load(file)
    return {
        os.path.relpath(os.path.join(entry['directory'], entry['file']), ROOT): entry
        for entry in entries if 'libengine.a.p' in entry.get('output', '')
    }


def link_of(build):
    said = subprocess.run(['ninja', '-C', build, '-t', 'commands', 'test/sim/sim'], capture_output=True, text=True,
                          check=True).stdout
    return shlex.split([line for line in said.splitlines() if ' -o test/sim/sim ' in line][-1])


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def mutate(mutation, folder):
    """Writes the changed sources; gives those to be compiled. A changed header is compiled into all that include it."""
    texts = {}
    for path, piece, replacement in mutation.changes:
        if path not in texts:
            with open(os.path.join(ROOT, path), encoding='utf-8') as file:
                texts[path] = file.read()
        if texts[path].count(piece) != 1:
            raise LookupError(f'{path}: the piece to be replaced is there {texts[path].count(piece)} times')
        texts[path] = texts[path].replace(piece, replacement)
    for path, text in texts.items():
        write(os.path.join(folder, path), text)
    return texts


def includes(path, header):
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        return f'#include "{header}"' in file.read()


def compile_all(build, folder, changed, commands):
    """Objects of what changed, compiled as the build does, the changed headers before those of the tree."""
    sources = [path for path in changed if path.endswith('.c')]
    for header in (path for path in changed if path.endswith('.h')):
        sources += [path for path in commands if path not in sources]
    objects = []
    for path in sources:
        entry = commands[path]
        words = shlex.split(entry['command'])
        source = os.path.join(folder, path) if path in changed else os.path.join(ROOT, path)
        target = os.path.join(folder, path + '.o')
        os.makedirs(os.path.dirname(target), exist_ok=True)
        at = words.index('-o')
        compiler = 1 + (os.path.basename(words[0]) == 'ccache')
        words = words[:compiler] + ['-I' + folder] + words[compiler:at] + ['-o', target, '-c', source]
        words = [word for i, word in enumerate(words) if word not in ('-MD', '-MQ', '-MF') and
                 words[i - 1] not in ('-MQ', '-MF')]
        subprocess.run(words + ['-w'], cwd=build, check=True)
        objects.append(target)
    return objects


def link(build, folder, objects, words):
    """The objects come before the library, whose members of the same names are then not wanted."""
    words = list(words)
    at = words.index('-o')
    words[at + 1] = os.path.join(folder, 'sim')
    words[at + 2:at + 2] = objects
    subprocess.run(words, cwd=build, check=True)
    return words[at + 1]


def lines_of(words):
    """What a program says within PATIENCE; a broken engine may never get done."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as process:
        try:
            said = process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate()[0]
    return said.splitlines()


def play(program, mutation):
    """Plays until a seed is found; gives what it said, or None."""
    others = []
    for workload, first, last, more in mutation.plays:
        for seed in range(first, last + 1, STEP):
            until = min(seed + STEP - 1, last)
            words = [program, '--seeds', f'{seed}..{until}', '--once', '--workload', workload] + more
            for line in lines_of(words):
                if line.startswith('FAILED') and re.search(mutation.says, line.split(':', 1)[1]):
                    return line
                if line.startswith('FAILED'):
                    others.append(line)
    return None if not others else 'OTHERWISE ' + others[0]


def prove(build, mutation, commands, linking):
    """One mutation; true when it is caught."""
    folder = os.path.join(build, 'mutation', re.sub('[^a-z]+', '-', mutation.name.lower()))
    begun = time.monotonic()
    try:
        changed = mutate(mutation, folder)
        program = link(build, folder, compile_all(build, folder, changed, commands), linking)
    except (LookupError, subprocess.CalledProcessError) as error:
        print(f'CANNOT BE MADE  {mutation.name}: {error}', flush=True)
        return False
    found = play(program, mutation)
    caught = found is not None and not found.startswith('OTHERWISE')
    print(f'{"caught" if caught else "NOT CAUGHT"}  {mutation.name} ({time.monotonic() - begun:.0f} s)\n        {found}',
          flush=True)
    return caught


def main():
    words = sys.argv[1:]
    few = '--few' in words
    names = [word for word in words if not word.startswith('--')]
    if '--list' in words:
        print('\n'.join(mutation.name for mutation in MUTATIONS))
        return 0
    build = os.path.abspath(names.pop(0))
    commands, linking = commands_of(build), link_of(build)
    chosen = [one for one in MUTATIONS if (not names or one.name in names) and (not few or one.few)]
    missed = [one.name for one in chosen if not prove(build, one, commands, linking)]
    print(f'{len(chosen) - len(missed)} of {len(chosen)} mutations caught')
    return 1 if missed or not chosen else 0


if __name__ == '__main__':
    sys.exit(main())
