"""What a data set consists of, and how images and label maps are read."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import ImageError


class Sample(Protocol):
    """An image and the ways in which people have segmented it."""

    @property
    def image_id(self) -> str:
        """Name of the image, without folder and suffix."""

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB.

        Raises:
            ImageError: the file cannot be read.
        """

    def segmentations(self) -> list[NDArray[np.uint16]]:
        """One (H, W) uint16 map of region ids per annotation; ids are arbitrary, equal ids are one region.

        Raises:
            ImageError: the file cannot be read, or a map is not of the image's size.
        """


class FileSample(Sample, Protocol):
    """A sample that lies in files."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that image and segmentations are read from."""


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.uint16]:
    """Region ids (H, W) uint16 from a PNG (grey of 8 or 16 bits, or one colour per region) or a CSV file (one row per line).

    Raises:
        ImageError: the file is missing, damaged, or has more than 65,536 regions.
    """
    ids: NDArray[Any]
    if Path(path).suffix.lower() == ".csv":
        try:
            with warnings.catch_warnings(action="error", category=UserWarning):  # loadtxt's on a file without data
                ids = np.loadtxt(path, np.int64, delimiter=",", ndmin=2)
        except (OSError, ValueError, UserWarning) as error:
            raise ImageError(f"{path} is no table of integers ({error}); fetch it again") from error
    else:
        ids = _decode(path)
    if ids.ndim == 3:  # colours: one id per colour
        ids = (ids[..., :3].astype(np.int64) << (0, 8, 16)).sum(2)
    if ids.min() < 0 or ids.max() > 0xFFFF:
        values, ids = np.unique(ids, return_inverse=True)
        if len(values) > 1 << 16:
            raise ImageError(f"{path} has {len(values)} regions, more than 65,536; is it a label map?")
    return ids.astype(np.uint16)


def check_size(labels: NDArray[np.uint16], source: object, size: Sequence[int]) -> None:
    """Raises ImageError where a label map is not of its image's (height, width)."""
    if labels.shape != tuple(size):
        raise ImageError(f"{source} is {labels.shape}, its image is {tuple(size)} (height, width); they do not belong together")


def without_border(array: NDArray[Any], border: int) -> NDArray[Any]:
    """Cut `border` pixels off each side of (H, W, ...)."""
    height, width = array.shape[:2]
    return np.ascontiguousarray(array[border : height - border, border : width - border])


def _decode(path: str | os.PathLike[str]) -> NDArray[Any]:
    if not Path(path).is_file():
        raise ImageError(f"no image at {path}; check the path")
    image: NDArray[Any] | None = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ImageError(f"cannot decode {path}: damaged, half downloaded or no image; fetch it again")
    return image
