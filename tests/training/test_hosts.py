"""Training on two hosts, two network namespaces of this machine: one is lost, both go on, and the weights are those of one host."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from ainet.training.run_state import WEIGHTS

RECIPE = "iterations = 100\nbatch_size = 2\ncrop = 32\nlr = 1e-3"  # a line is printed at 50
PORT = 29511


def can_make_namespaces() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"ainet-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    return made and subprocess.run(["ip", "netns", "del", name], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_make_namespaces(), reason="making network namespaces needs root and the command ip"),
]


class Host:
    """A network namespace; processes in it see its own network alone."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address, self.link = name, address, f"v{name[-12:]}"

    def start(self, rank: int, folder: Path, out: Path) -> "subprocess.Popen[str]":
        command = [
            "ip",
            "netns",
            "exec",
            self.name,
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nnodes",
            "2",
            "--nproc-per-node",
            "1",
        ]
        command += ["--node-rank", str(rank), "--master-addr", "10.231.7.1", "--master-port", str(PORT), *training(folder, out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": self.link, "PYTHONUNBUFFERED": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=folder, start_new_session=True)


def training(folder: Path, out: Path) -> list[str]:
    command = f"-m ainet train scn --recipe {folder}/tiny.toml --images {folder}/images --labels {folder}/labels -o {out} --device cpu"
    return command.split()


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    names = [f"ainet-{os.getpid()}-{side}" for side in "ab"]
    pair = tuple(Host(name, f"10.231.7.{number}") for number, name in enumerate(names, 1))

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    try:
        for host in pair:
            ip("netns", "add", host.name)
        ip("link", "add", pair[0].link, "netns", pair[0].name, "type", "veth", "peer", "name", pair[1].link, "netns", pair[1].name)
        for host in pair:
            ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", host.link)
            ip("-n", host.name, "link", "set", host.link, "up")
            ip("-n", host.name, "link", "set", "lo", "up")
        yield pair
    finally:
        for host in pair:
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images with label maps, and a recipe."""
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for name in ("one", "two"):
        labels = rng.integers(0, 4, (4, 6), np.uint8).repeat(16, 0).repeat(16, 1)
        image = rng.integers(0, 256, (4, 3), np.uint8)[labels]
        cv2.imwrite(str(tmp_path / f"images/{name}.png"), image)
        cv2.imwrite(str(tmp_path / f"labels/{name}.png"), labels)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


def kill(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def test_a_host_is_lost_and_both_go_on(hosts: tuple[Host, Host], folder: Path) -> None:
    out, other = folder / "out", folder / "other"
    first, second = hosts[0].start(0, folder, out), hosts[1].start(1, folder, other)
    try:
        assert first.stdout is not None
        line = first.stdout.readline()
        assert line.startswith("50/100"), line + first.communicate()[1]
        children = subprocess.run(["ip", "netns", "pids", hosts[1].name], capture_output=True, text=True, check=True).stdout.split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        _, errors = first.communicate(timeout=120)
    finally:
        kill(first)
        kill(second)
    assert first.returncode == 1
    words = " ".join(errors.split())
    assert "error: another process of this run, or its host, was lost at iteration " in words
    assert "start the same command again on all hosts" in words
    assert (out / "state.pt").is_file()
    assert not (other / "state.pt").exists()

    shutil.copytree(out, other, dirs_exist_ok=True)
    both = [host.start(rank, folder, where) for rank, (host, where) in enumerate(zip(hosts, (out, other), strict=True))]
    try:
        printed = [process.communicate(timeout=200) for process in both]
    finally:
        for process in both:
            kill(process)
    assert [process.returncode for process in both] == [0, 0], printed
    assert "finished" in printed[0][0]

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *training(folder, folder / "single")]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=folder, timeout=200)
    ours, theirs = (sha256((path / WEIGHTS).read_bytes()).hexdigest() for path in (out, folder / "single"))
    assert ours == theirs
