"""What the tests of the command line share: how to run it, and a look at what it wrote."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import ainet

FAST = ("--device", "cpu", "-n", "12")  # for images of 48 x 64


@dataclass
class Result:
    """Exit code, and the lines on stdout and stderr."""

    code: int
    lines: list[str]
    errors: list[str]


Run = Callable[..., Result]  # the fixture `run`


def tree(folder: str = "out") -> list[str]:
    """Every file below `folder`, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def refused(run: Run, *arguments: object, code: int = 1) -> str:
    """The one line that the command says, and that it wrote nothing."""
    before = tree(".")
    result = run(*arguments)
    assert (result.code, len(result.errors)) == (code, 1), result
    assert tree(".") == before
    return result.errors[0]


def expected(segmenter: ainet.Segmenter, path: str) -> NDArray[np.int32]:
    """What `FAST` gives for the picture `path`."""
    return segmenter(ainet.read_image(path), 12)


def frames(path: str) -> Iterator[NDArray[np.uint8]]:
    """Every frame of a video, RGB."""
    capture = cv2.VideoCapture(path)
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]


def ainet_process(*arguments: str, **options: object) -> subprocess.Popen[str]:
    """Run `ainet ARGUMENTS...` in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "ainet", *arguments], stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
