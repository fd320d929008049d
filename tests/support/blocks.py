"""What the tests of `ainet bench` share: a small data set, and methods that need nothing.

This module stands in the registry of methods (`peers.METHODS`) under the names of the fakes.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from ainet.benchmarks.accuracy.protocol import BSDS
from ainet.benchmarks.peers import METHODS, Method, Options, Stages
from ainet.errors import DeviceError

TRUTHS = {"11": 2, "12": 3}  # ground truths of each image


@dataclass
class Blocks:
    """A method that cuts the image into rectangles, and keeps what it was asked for; `on_call` is told the number of each call."""

    name: str = "blocks"
    trained: bool = True
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"kind": "rectangles"})
    calls: list[int] = field(default_factory=list)
    on_call: Callable[[int], None] = lambda count: None  # may raise, as a method that fails

    def __call__(self, image: NDArray[np.uint8], n_segments: int, stages: Stages | None = None) -> NDArray[np.int32]:
        self.calls.append(n_segments)
        self.on_call(len(self.calls))
        stages = Stages() if stages is None else stages
        height, width = image.shape[:2]
        rows = round((n_segments * height / width) ** 0.5)
        columns = round(n_segments / rows)
        with stages("network"):
            y, x = np.indices((height, width), np.int32)
        with stages("connectivity"):
            return y * rows // height * columns + x * columns // width


def write_bsds(root: Path, patch: pytest.MonkeyPatch) -> Path:
    """A data set in BSDS500's layout: a landscape and a portrait image with ground truths of 60 and more segments."""
    rng = np.random.default_rng(0)
    for (name, count), shape in zip(TRUTHS.items(), ((321, 481), (481, 321)), strict=True):
        picture = cv2.resize(rng.integers(0, 256, (8, 12, 3), np.uint8), shape[::-1], interpolation=cv2.INTER_CUBIC)
        coarse = [rng.integers(1, 70, (6 + k, 9), np.uint16) for k in range(count)]
        write_sample(root, "val", name, picture, [cv2.resize(ids, shape[::-1], interpolation=cv2.INTER_NEAREST) for ids in coarse])
    patch.setitem(BSDS.splits, "val", len(TRUTHS))
    return root


def write_sample(root: Path, split: str, name: str, picture: NDArray[np.uint8], truths: Sequence[NDArray[np.uint16]]) -> None:
    """An image and its ground truths, in BSDS500's layout."""
    for kind in ("images", "groundTruth"):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "images" / split / f"{name}.jpg"), picture)
    cell = np.empty((1, len(truths)), object)
    for number, segments in enumerate(truths):
        cell[0, number] = {"Segmentation": segments}
    savemat(root / "groundTruth" / split / f"{name}.mat", {"groundTruth": cell})


_installed: dict[str, Method] = {}


def install(patch: pytest.MonkeyPatch, methods: Mapping[str, Method]) -> None:
    """Register methods, in place of real ones of that name until the test ends."""
    for name, method in methods.items():
        patch.setitem(METHODS, name.partition("@")[0], __name__)
        patch.setitem(_installed, name, method)


def install_blocks(patch: pytest.MonkeyPatch) -> dict[str, Blocks]:
    """The fakes `blocks` and `other`, `untrained`, and `absent`, which is not installed."""
    found = {"blocks": Blocks(), "other": Blocks("other"), "untrained": Blocks("untrained", trained=False)}
    install(patch, found)
    patch.setitem(METHODS, "absent", __name__)
    return found


def open_method(name: str, options: Options) -> Method:
    if name not in _installed:
        raise DeviceError(f"method '{name}' needs the package {name}: pip install {name}")
    return _installed[name]


# --- work for a pool of processes, which must find it by name --------------------------------------------------------------------------


def wait_for_stop(path: Path, stop: Callable[[], bool]) -> None:
    """Say that it has begun, wait until asked to stop, and say so; the first task, called `quick`, ends at once."""
    path.write_text("begun")
    if path.name == "quick":
        return
    while not stop():
        time.sleep(0.01)
    path.write_text("stopped")


def die(path: Path, stop: Callable[[], bool]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
