"""What a data set consists of."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ainet.errors import ImageError


class Sample(Protocol):
    """An image and its ground truths: the ways in which people have segmented it."""

    @property
    def image_id(self) -> str:
        """Name of the image, without folder and suffix."""

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB.

        Raises:
            ImageError: the file cannot be read.
        """

    def segmentations(self) -> list[NDArray[np.uint16]]:
        """One (H, W) uint16 map of region ids per ground truth; ids are arbitrary, equal ids are one region.

        Raises:
            ImageError: the file cannot be read, or a map is not of the image's size.
        """


class FileSample(Sample, Protocol):
    """A sample that lies in files."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that image and segmentations are read from."""


def as_uint16(labels: NDArray[np.integer[Any]], source: object) -> NDArray[np.uint16]:
    """Region ids (H, W) in [0, 2**31) as uint16: as they are, or renumbered where they are larger.

    Raises:
        ImageError: more than 65,536 regions.
    """
    if labels.max() > 0xFFFF:
        values, labels = np.unique(labels, return_inverse=True)
        if len(values) > 1 << 16:
            raise ImageError(f"{source} has {len(values)} regions, more than 65,536; is it a label map?")
    return labels.astype(np.uint16)


def without_border(array: NDArray[Any], border: int) -> NDArray[Any]:
    """Cut `border` pixels off each side of (H, W, ...)."""
    height, width = array.shape[:2]
    return np.ascontiguousarray(array[border : height - border, border : width - border])
