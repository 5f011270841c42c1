"""A model of the checker for list-append: slower, written independently of test/history/, and sound.

check(transactions) gives the anomalies found and a verdict for each level. Edges are proved facts, so every circle
is a real violation. run(mode, seed) plays a small database, right or wrong in a chosen way."""

import collections
import random

WW, WR, RW, PROCESS, REALTIME = 1, 2, 4, 8, 16

# What each level forbids.
READ_COMMITTED = {"G1a", "G1b", "duplicate", "phantom", "incompatible", "G0", "G1c"}
SNAPSHOT = READ_COMMITTED | {"internal", "G-single", "G-nonadjacent"}
SERIALIZABLE = SNAPSHOT | {"G2"}


class Transaction:
    """One transaction; status is ok, fail or info (unknown); operations are (a|r, key, value or values)."""

    def __init__(self, number, process, invoked, returned, status, operations):
        self.number, self.process = number, process
        self.invoked, self.returned = invoked, returned
        self.status, self.operations = status, operations


class Check:
    def __init__(self, transactions):
        self.transactions = transactions
        self.anomalies = set()
        self.writer, self.final = {}, {}
        self.observed = set()
        self.longest = {}
        self.bad = set()
        self.graph = collections.defaultdict(dict)
        for t in transactions:
            for kind, key, value in t.operations:
                if kind == "a":
                    self.writer[key, value] = t
                    self.final[t.number, key] = value

    def read_alone(self, t):
        mine, last = {}, {}
        for kind, key, value in t.operations:
            if kind == "a":
                mine.setdefault(key, []).append(value)
                continue
            own = mine.get(key, [])
            if own and value[-len(own):] != own:
                self.anomalies.add("internal")
            base = value[:len(value) - len(own)] if own else value
            if last.setdefault(key, base) != base:
                self.anomalies.add("internal")
            if len(set(value)) != len(value):
                self.anomalies.add("duplicate")
            for element in value:
                self.see(key, element)
            if base:
                writer = self.writer.get((key, base[-1]))
                if writer and writer is not t and self.final[writer.number, key] != base[-1]:
                    self.anomalies.add("G1b")
            if len(value) > len(self.longest.get(key, ())):
                self.longest[key] = value

    def see(self, key, element):
        writer = self.writer.get((key, element))
        if writer is None:
            self.anomalies.add("phantom")
            self.bad.add(key)
            return
        if writer.status == "fail":
            self.anomalies.add("G1a")
        self.observed.add(writer.number)

    def edge(self, a, b, kind):
        if a.number != b.number:
            self.graph[a.number][b.number] = self.graph[a.number].get(b.number, 0) | kind

    def compare_orders(self):
        for t in self.transactions:
            for kind, key, value in t.operations if t.status == "ok" else ():
                if kind == "r" and self.longest.get(key, [])[:len(value)] != value:
                    self.anomalies.add("incompatible")
                    self.bad.add(key)

    def dependencies(self):
        order = {key: set(value) for key, value in self.longest.items()}
        unseen = collections.defaultdict(list)
        for (key, value), writer in self.writer.items():
            if writer.status == "ok" and value not in order.get(key, ()):
                unseen[key].append(writer)
        for key in (set(self.longest) | set(unseen)) - self.bad:
            longest = self.longest.get(key, [])
            for x, y in zip(longest, longest[1:]):
                self.edge(self.writer[key, x], self.writer[key, y], WW)
            for writer in unseen[key] if longest else ():
                self.edge(self.writer[key, longest[-1]], writer, WW)
        for t in self.transactions:
            if t.status == "ok":
                self.reads(t, unseen)

    def reads(self, t, unseen):
        mine = set()
        for kind, key, value in t.operations:
            if kind == "a":
                mine.add(key)
            elif key not in mine and key not in self.bad:
                longest = self.longest.get(key, [])
                if value:
                    self.edge(self.writer[key, value[-1]], t, WR)
                followers = [self.writer[key, longest[len(value)]]] if len(value) < len(longest) else unseen[key]
                for follower in followers:
                    self.edge(t, follower, RW)

    def times(self):
        committed = [t for t in self.transactions
                     if t.status == "ok" or (t.status == "info" and t.number in self.observed)]
        events = []
        for t in committed:
            events.append((t.invoked, 1, t))
            if t.status == "ok":
                events.append((t.returned, 0, t))
        front, before = {}, {}
        for _, kind, t in sorted(events, key=lambda event: event[:2]):
            if kind == 1:
                before[t.number] = list(front.values())
                for p in before[t.number]:
                    self.edge(p, t, REALTIME)
            else:
                for p in before[t.number]:
                    front.pop(p.number, None)
                front[t.number] = t

    def find(self):
        for t in self.transactions:
            if t.status == "ok":
                self.read_alone(t)
        self.compare_orders()
        self.dependencies()
        self.times()
        for extra, suffix in ((0, ""), (REALTIME, "-realtime")):
            for name, mask, mode in (("G0", WW, 0), ("G1c", WW | WR, 0), ("G-single", WW | WR | RW, 1),
                                     ("G-nonadjacent", WW | WR | RW, 2), ("G2", WW | WR | RW, 3)):
                if self.has_cycle(mask | extra, mode):
                    self.anomalies.add(name + suffix)

    # ---- circles: by layers of a product graph, so that "how many rw, and next to each other?" is part of the node

    def has_cycle(self, mask, mode):
        """mode 0: any circle; 1: exactly one rw; 2: some, no two of them adjacent; 3: any with rw."""
        for component in self.components(mask):
            for a in component:
                if mode == 0:
                    return True
                for b, kinds in self.graph[a].items():
                    if kinds & RW and b in component and self.returns(component, mask, mode, a, b):
                        return True
        return False

    def returns(self, component, mask, mode, a, b):
        """Whether there is a way from b back to a, after an rw edge from a to b."""
        seen, todo = {(b, True)}, [(b, True)]
        while todo:
            node, was_rw = todo.pop()
            for to, kinds in self.graph[node].items():
                if to not in component:
                    continue
                for is_rw in (False, True):
                    if not kinds & mask & (RW if is_rw else ~RW):
                        continue
                    if is_rw and (mode == 1 or (mode == 2 and was_rw)):
                        continue
                    if to == a and not (mode == 2 and is_rw):
                        return True
                    if (to, is_rw) not in seen:
                        seen.add((to, is_rw))
                        todo.append((to, is_rw))
        return False

    def components(self, mask):
        """Kosaraju: the strongly connected components with more than one node."""
        forward = {a: [b for b, kinds in to.items() if kinds & mask] for a, to in list(self.graph.items())}
        backward = collections.defaultdict(list)
        for a, to in forward.items():
            for b in to:
                backward[b].append(a)
        order, seen = [], set()
        for root in forward:
            if root in seen:
                continue
            seen.add(root)
            todo = [(root, iter(forward[root]))]
            while todo:
                node, rest = todo[-1]
                for b in rest:
                    if b not in seen:
                        seen.add(b)
                        todo.append((b, iter(forward.get(b, ()))))
                        break
                else:
                    order.append(node)
                    todo.pop()
        assigned = set()
        for root in reversed(order):
            if root in assigned:
                continue
            component, todo = {root}, [root]
            assigned.add(root)
            while todo:
                for b in backward[todo.pop()]:
                    if b not in assigned:
                        assigned.add(b)
                        component.add(b)
                        todo.append(b)
            if len(component) > 1:
                yield component


def check(transactions):
    """The anomalies of a history, as a set of names."""
    found = Check(transactions)
    found.find()
    return found.anomalies


# ---- a database, right or wrong

def run(mode, seed, count=300, processes=8, keys=6):
    """A history of a small database: ss (strict serializable), si (snapshot isolation), rc (read committed), stale (old
    snapshots), longfork (keys become visible on their own), lost (a write vanishes), aborted (a rollback that stays)."""
    dice = random.Random(seed)
    history, store, active = [], collections.defaultdict(list), {}
    stamp = clock = value = number = 0

    def at(key, when):
        return [v for c, v, _ in store[key] if c <= when]

    while len(history) < count:
        clock += 1
        process = dice.randrange(processes)
        if process not in active:
            number += 1
            operations = []
            for _ in range(dice.randint(1, 4)):
                key = dice.randrange(keys) + (number // 400) * keys
                if dice.random() < .5:
                    value += 1
                    operations.append(("a", key, value))
                else:
                    operations.append(("r", key, None))
            snapshot = stamp
            if mode == "stale" and dice.random() < .05:
                snapshot = max(0, stamp - dice.randint(1, 30))
            active[process] = (number, clock, operations, snapshot)
            continue
        if mode in ("si", "longfork", "rc", "stale") and dice.random() < .5:
            continue
        done, invoked, operations, snapshot = active.pop(process)
        if mode in ("ss", "lost", "aborted"):
            snapshot = stamp
        writes = {key for kind, key, _ in operations if kind == "a"}
        good = True
        if mode in ("si", "stale"):
            good = not any(c > snapshot for key in writes for c, _, _ in store[key])
            if mode == "stale" and snapshot < stamp and writes:
                good = good and not any(c > snapshot for _, key, _ in operations for c, _, _ in store[key])
        seen, own = [], collections.defaultdict(list)
        for kind, key, appended in operations:
            if kind == "a":
                own[key].append(appended)
                seen.append((kind, key, appended))
                continue
            when = snapshot
            if mode == "rc":
                when = stamp if key in writes else dice.randint(snapshot, stamp)
            elif mode == "longfork":
                when = stamp if key in writes or dice.random() < .5 else max(0, stamp - dice.randint(0, 3))
            seen.append((kind, key, at(key, when) + own[key]))
        status = "fail" if not good else "info" if dice.random() < .03 else "ok"
        if good:
            stamp += 1
            if not (mode == "lost" and dice.random() < .01):
                for key, appended in own.items():
                    store[key] += [(stamp, v, done) for v in appended]
            if mode == "aborted" and dice.random() < .02:
                status = "fail"
        history.append(Transaction(done, process, invoked, clock, status, seen))
    for key in list(store):
        clock += 2
        number += 1
        history.append(Transaction(number, processes, clock, clock + 1, "ok", [("r", key, at(key, stamp))]))
    return history
