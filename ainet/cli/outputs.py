"""The results of `ainet segment`: label maps and overlays, written whole or not at all."""

from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.files import atomic_path
from ainet.labels import ENDINGS, OVERLAY_ENDING, check_png_size, write_labels
from ainet.regions import overlay


class Format(StrEnum):
    NPY = "npy"  # int32 array
    PNG16 = "png16"  # 16-bit grey PNG
    CSV = "csv"  # comma-separated rows, as superpixel benchmarks read them
    OVERLAY = "overlay"  # the image with the superpixels' outlines, PNG


def result_path(folder: Path, name: Path, kind: Format) -> Path:
    """Where the result of the input called `name` goes."""
    return folder / name.with_name(name.name + ENDINGS.get(kind, OVERLAY_ENDING))


def write(path: Path, kind: Format, image: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
    """Write one result: labels (H, W), image RGB (H, W, 3).

    Raises:
        OutputError: the file cannot be written; over 65,535 labels as 16-bit PNG; a height or width over 1,000,000 as PNG.
    """
    if kind is not Format.OVERLAY:
        write_labels(path, labels)
        return
    check_png_size(path, *labels.shape)
    picture = cv2.cvtColor(overlay(image, labels), cv2.COLOR_RGB2BGR)
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
