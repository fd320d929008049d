"""Fixtures of the face's tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.command_line import Result, Run, frames
from support.paths import PHOTOS

from ainet import Segmenter
from ainet.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test, with two pictures of 48 x 64: a.png and b.jpg."""
    monkeypatch.chdir(tmp_path)
    photo = Image.open(PHOTOS / "chelsea.jpg")
    photo.crop((100, 60, 164, 108)).save("a.png")
    photo.crop((180, 80, 244, 128)).save("b.jpg")
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `ainet ARGUMENTS...` in this process and in `folder`; engines that write to the file descriptors are caught too."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["ainet", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(int(end.value.code or 0), out.splitlines(), err.splitlines())

    return call


@pytest.fixture(scope="session")
def segmenter() -> Iterator[Segmenter]:
    """The bundled model on ONNX Runtime, as the command line opens it for `--device cpu`."""
    with Segmenter.load(device="cpu") as opened:
        yield opened


@pytest.fixture
def video(folder: Path) -> list[NDArray[np.uint8]]:
    """clip.avi of 5 frames, which are returned as decoded."""
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 12, (64, 48))
    assert writer.isOpened()
    for i in range(5):
        writer.write(np.roll(cv2.imread("a.png"), 5 * i, 1))
    writer.release()
    return list(frames("clip.avi"))
