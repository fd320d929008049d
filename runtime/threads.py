"""How many threads one inference gets: a container's quota of processor time, which engines do not look at.

The kernel lets a group of processes with a quota of 2 run on all 16 cores for an eighth of the time, and halts them for the rest of it: an
engine with a thread for each core then waits for its own halted threads.
"""

import os
from pathlib import Path, PurePosixPath


def engine_threads(threads: int, root: Path = Path("/")) -> int:
    """The number that an engine is given for `threads`: as asked for, and for 0 that of the quota; 0, the engine's choice, without one.

    root: the folder that holds /proc and /sys.
    """
    if threads:
        return threads
    quota = cpu_quota(root)
    return 0 if quota is None or quota >= (os.cpu_count() or 1) else max(1, int(quota))


def usable_cores(root: Path = Path("/")) -> int:
    """How many cores this process may keep busy, by its affinity and its quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of time that Linux control groups, version 2 or 1, grant to this process; None for no limit."""
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    quotas = []
    for line in memberships:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            quotas += [_quota(folder / "cpu.max") for folder in _groups(root / "sys/fs/cgroup", group)]
        elif "cpu" in controllers.split(","):
            quotas += [_quota_of_version_1(folder) for folder in _groups(root / "sys/fs/cgroup/cpu", group)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _groups(mount: Path, group: str) -> list[Path]:
    """The folders of a group and of those around it; in a container the last one, `mount`, is often the only one that is there."""
    inner = PurePosixPath(group.lstrip("/"))
    return [mount / part for part in (inner, *inner.parents)]


def _quota(file: Path) -> float | None:
    """Of a file such as "200000 100000" (microseconds in each period) or "max 100000"."""
    try:
        quota, period = file.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_of_version_1(folder: Path) -> float | None:
    try:
        quota, period = (int((folder / name).read_text()) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
