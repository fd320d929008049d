"""Commands that are killed: what each reads and writes, and what a whole result of it is."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from support.blocks import write_sample
from support.paths import PHOTOS

from ainet.models import bundled
from fuzz.small_runs import IMAGES

OUT = "out"


@dataclass(frozen=True)
class Command:
    """arguments: of Python, run in a folder with the inputs; its results lie in the folder `OUT` there."""

    name: str
    arguments: Sequence[str]

    def prepare(self, folder: Path) -> None:
        """Write the inputs."""
        raise NotImplementedError


class Segment(Command):
    def __init__(self) -> None:
        options = ("--device", "cpu", "-n", "12", "--format", "npy", "--format", "overlay", "--format", "csv")
        super().__init__("segment", ("-m", "ainet", "segment", "photos", "-o", OUT, *options))

    def prepare(self, folder: Path) -> None:
        (folder / "photos").mkdir()
        with Image.open(PHOTOS / "coffee.jpg") as photo:
            for number in range(12):
                photo.crop((10 * number, 0, 10 * number + 64, 48)).save(folder / f"photos/{number}.png")


class Export(Command):
    def __init__(self) -> None:
        super().__init__("export", ("-m", "ainet", "export", "scn.safetensors", "-o", f"{OUT}/scn.onnx"))

    def prepare(self, folder: Path) -> None:
        shutil.copy(bundled("scn.safetensors"), folder)


class Calibrate(Command):
    def __init__(self) -> None:
        options = ("--images", "photos", "--count", "4", "--max-asa-drop", "1")
        super().__init__("calibrate", ("-m", "ainet", "calibrate", "scn.safetensors", "-o", f"{OUT}/int8.onnx", *options))

    def prepare(self, folder: Path) -> None:
        shutil.copy(bundled("scn.safetensors"), folder)
        (folder / "photos").mkdir()
        with Image.open(PHOTOS / "coffee.jpg") as photo:
            for number in range(8):
                photo.crop((30 * number, 0, 30 * number + 96, 64)).save(folder / f"photos/{number}.png")


class Train(Command):
    """With a checkpoint after every iteration."""

    def __init__(self) -> None:
        super().__init__("train", ("-m", "fuzz.small_runs", "train", OUT))

    def prepare(self, folder: Path) -> None:
        pass


class BenchAccuracy(Command):
    def __init__(self) -> None:
        super().__init__("bench accuracy", ("-m", "fuzz.small_runs", "bench", OUT))

    def prepare(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        truth = np.kron(np.arange(24, dtype=np.uint16).reshape(4, 6), np.ones((40, 40), np.uint16)) + 1
        for number in range(IMAGES):
            picture = cv2.resize(rng.integers(0, 256, (4, 6, 3), np.uint8), (240, 160), interpolation=cv2.INTER_CUBIC)
            write_sample(folder / "bsds", "val", f"{number:03d}", picture, [truth])


COMMANDS = {command.name: command for command in (Segment(), Export(), Calibrate(), Train(), BenchAccuracy())}
