"""Segmenters in other processes. Each check runs in a Python of its own, as the process of the tests holds threads and signal handlers
of many libraries: a fork of it waits for locks that nobody releases."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import ainet
from ainet import Segmenter
from ainet.errors import DeviceError
from support.paths import ROOT

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)  # (48, 64, 3)


def run_alone(check: Callable[..., None], *arguments: str) -> None:
    """Call a function of this module in a new process; an error there is one here."""
    script = f"from support.processes import {check.__name__} as check; check(*{arguments})"
    path = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-W", "ignore::DeprecationWarning", "-c", script]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr


def fork_is_refused() -> None:
    with Segmenter.load("scn", "cpu", 1) as segmenter:
        expected = segmenter(IMAGE, 12)
        assert in_a_fork(lambda: segmenter(IMAGE, 12)) == "DeviceError"
        assert in_a_fork(lambda: segmenter.hierarchy(IMAGE, 12)) == "DeviceError"
        assert in_a_fork(lambda: Segmenter.load("scn", "cpu", 1)(IMAGE, 12)) == ""
        assert in_a_fork(segmenter.close) == ""
        np.testing.assert_array_equal(segmenter(IMAGE, 12), expected)


def pytorch_in_a_fork_is_refused(checkpoint: str) -> None:
    with Segmenter.load(checkpoint, "torch") as opened:
        opened(IMAGE, 12)
    assert in_a_fork(lambda: Segmenter.load(checkpoint, "torch")) == "DeviceError"


def pool_of_forks_gives_the_error_to_its_parent(checkpoint: str) -> None:
    with Segmenter.load(checkpoint, "torch") as opened:
        opened(IMAGE, 12)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            for _ in range(2):
                with pytest.raises(DeviceError, match="is a fork"):
                    pool.apply_async(labels_of, [opened]).get(100)


def labels_of(segmenter: Segmenter) -> NDArray[np.int32]:
    return segmenter(IMAGE, 12)


def package_has_one_segmenter_for_each_process() -> None:
    expected = ainet.segment(IMAGE, 12)
    assert in_a_fork(lambda: np.testing.assert_array_equal(ainet.segment(IMAGE, 12), expected)) == ""


def data_loader_gives_the_same_labels() -> None:
    from torch.utils.data import DataLoader

    with Segmenter.load("scn", "cpu", 1) as segmenter:
        photos = Superpixels(segmenter)
        loader = DataLoader(photos, batch_size=None, num_workers=1, multiprocessing_context="spawn", timeout=100)
        loaded = list(loader)
        assert len(loaded) == len(photos)
        for number, labels in enumerate(loaded):
            np.testing.assert_array_equal(labels, photos[number])


class Superpixels:
    """A data set of PyTorch: the label maps of an image, rolled."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> NDArray[np.int32]:
        return self.segmenter(np.roll(IMAGE, number, 0), 12)


def in_a_fork(call: Callable[[], Any]) -> str:
    """The kind of the exception that a call raises in a fork of this process, or nothing."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(60)
        try:
            call()
        except BaseException as error:
            os.write(writer, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        kind = pipe.read()
    assert os.waitpid(process, 0)[1] == 0
    return kind
