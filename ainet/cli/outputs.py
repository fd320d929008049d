"""The results of `ainet segment`: label maps and overlays, written whole or not at all."""

from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import OutputError
from ainet.files import atomic_path
from ainet.regions import overlay

PNG_SIDE = 1_000_000  # longest side that libpng takes


class Format(StrEnum):
    NPY = "npy"  # int32 array
    PNG16 = "png16"  # 16-bit grey PNG
    CSV = "csv"  # comma-separated rows, as superpixel benchmarks read them
    OVERLAY = "overlay"  # the image with the superpixels' outlines, PNG


def result_path(folder: Path, name: Path, kind: Format) -> Path:
    """Where the result of the input called `name` goes."""
    suffix = {Format.NPY: ".npy", Format.PNG16: "_labels.png", Format.CSV: ".csv", Format.OVERLAY: "_overlay.png"}[kind]
    return folder / name.with_name(name.name + suffix)


def write(path: Path, kind: Format, image: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
    """Write one result: labels (H, W), image RGB (H, W, 3).

    Raises:
        OutputError: the file cannot be written; over 65,535 labels as 16-bit PNG; a side over 1,000,000 pixels as PNG.
    """
    if kind is Format.PNG16 and labels.max() > np.iinfo(np.uint16).max:
        raise OutputError(f"{path}: {labels.max() + 1} superpixels do not fit into a 16-bit PNG; use --format npy")
    if kind in (Format.PNG16, Format.OVERLAY) and max(labels.shape) > PNG_SIDE:
        raise OutputError(f"cannot write {path}: {labels.shape[0]}x{labels.shape[1]} is too large for a PNG; use --format npy")
    with atomic_path(path) as temporary:
        if kind is Format.NPY:
            with temporary.open("wb") as file:
                np.save(file, labels)
        elif kind is Format.CSV:
            np.savetxt(temporary, labels, fmt="%d", delimiter=",")
        else:
            picture = labels.astype(np.uint16) if kind is Format.PNG16 else cv2.cvtColor(overlay(image, labels), cv2.COLOR_RGB2BGR)
            temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
