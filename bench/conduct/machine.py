"""What the operating system says of processes and of the machine: processor time, memory, disk, other load."""

import os
import platform
import threading

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_SECONDS = 0.5


def busy_seconds():
    """Processor seconds anything took so far, and those a hypervisor took from us, of all processors."""
    with open("/proc/stat", encoding="utf-8") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def own_seconds():
    """Processor seconds of this process alone."""
    used = os.times()
    return used.user + used.system


def tree(pid):
    """A process and its living descendants, leaves first."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
                for child in file.read().split():
                    found += tree(int(child))
    except OSError:  # gone meanwhile
        return found
    return found + [pid]


def signal_tree(pid, number):
    """Sends a signal to a process and its descendants."""
    for process in tree(pid):
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass


def cpu_seconds(pid):
    """Processor seconds of a process, of its living descendants, and of those that ended and were waited for."""
    ticks = 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / TICKS


def memory_bytes(pid):
    """Memory of a process and its descendants: what each has for itself, and the largest shared mapping once."""
    own, shared = 0, 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/status", encoding="utf-8") as file:
                sizes = dict(line.split(":", 1) for line in file if line.startswith("Rss"))
        except OSError:
            continue
        kib = {name: int(text.split()[0]) for name, text in sizes.items()}
        own += kib.get("RssAnon", 0)
        shared = max(shared, kib.get("RssShmem", 0))
    return (own + shared) * 1024


def running_seconds(pid):
    """Processor seconds that the living threads of a process and its descendants took, to the nanosecond."""
    nanoseconds = 0
    for process in tree(pid):
        try:
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/schedstat", encoding="ascii") as file:
                    nanoseconds += int(file.read().split()[0])
        except OSError:
            continue
    return nanoseconds / 1e9


class MemoryPeak:
    """The most memory a subject has while this is entered, sampled."""

    def __init__(self, subject):
        self.subject, self.peak, self.ended = subject, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while True:
            self.peak = max(self.peak, self.subject.memory_bytes())
            if self.ended.wait(SAMPLE_SECONDS):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.peak = max(self.peak, self.subject.memory_bytes())


def disk_bytes(directory):
    """(bytes of data, bytes of log) that the files below a directory occupy."""
    data = log = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                size = os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:  # removed meanwhile
                continue
            if os.path.basename(folder) in ("log", "pg_wal") or name.endswith(".log"):
                log += size
            else:
                data += size
    return data, log


def describe():
    """The machine, for the head of a report."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "processors": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * PAGE, "kernel": platform.release(),
            "load_average": os.getloadavg()[0]}
