"""Quotas of processor time, as the kernel shows them to a process in a container and outside."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ainet.runtime.threads import cpu_quota, engine_threads, usable_cores


def control_groups(root: Path, membership: str, files: dict[str, str]) -> Path:
    """A folder that looks like the /proc and /sys of a process: the lines of /proc/self/cgroup, and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


CASES = [
    ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
    ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
    ("0::/\n", {"cpu.max": "max 100000\n"}, None),
    ("0::/jobs/7\n", {"jobs/7/cpu.max": "max 100000\n", "jobs/cpu.max": "150000 100000\n"}, 1.5),
    ("0::/jobs/7\n", {"jobs/7/cpu.max": "400000 100000\n", "jobs/cpu.max": "300000 100000\n"}, 3.0),
    ("0::/docker/of-the-host\n", {"cpu.max": "100000 100000\n"}, 1.0),  # a container's name outside, its files at the top inside
    ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
    ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ("3:memory:/x\n0::/\n", {}, None),
    ("0::/\n", {"cpu.max": "damaged"}, None),
    ("", {}, None),
]


@pytest.mark.parametrize(("membership", "files", "quota"), CASES)
def test_quota(tmp_path: Path, membership: str, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(control_groups(tmp_path, membership, files)) == quota


def test_a_system_without_control_groups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None
    assert engine_threads(0, tmp_path) == 0
    assert 1 <= usable_cores(tmp_path) <= (os.cpu_count() or 1)


def test_threads_follow_the_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for microseconds, threads in ((400000, 4), (250000, 2), (50000, 1), (1600000, 0), (6400000, 0)):
        root = control_groups(tmp_path / str(microseconds), "0::/\n", {"cpu.max": f"{microseconds} 100000"})
        assert engine_threads(0, root) == threads
        assert engine_threads(3, root) == 3  # as asked for
    root = control_groups(tmp_path / "half", "0::/\n", {"cpu.max": "50000 100000"})
    assert usable_cores(root) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no threads to cores")
def test_one_core(tmp_path: Path) -> None:
    def on_one_core() -> int:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # of this thread alone
        return usable_cores(tmp_path)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(on_one_core).result() == 1
