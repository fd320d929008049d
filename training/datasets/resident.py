"""A whole data set as a few tensors on the training device, from which crops of any position are one gather.

All pixels lie in one row, image after image, so images of any size live together without padding:
pixel (y, x) of image n is at `image_start[n] + y * width[n] + x`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.errors import ImageError, UsageError
from ainet.training.datasets.sample import Sample


@dataclass(frozen=True)
class ResidentData:
    """N annotations of M images. The bulk is on the device, the small tables stay with the program that draws crops.

    pixels: (sum of H * W over images, 3) uint8 RGB; labels: (sum of H * W over annotations,) uint8, int16 or int32, ids 0..classes-1
    without gaps per annotation; image_start, label_start, height, width: (N,) int64; first, count: (N,) int64, the first annotation of
    the same image and how many it has, one after the other; names: what each annotation is.
    """

    pixels: Tensor
    labels: Tensor
    image_start: NDArray[np.int64]
    label_start: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    names: list[str]
    classes: int
    summary: str  # what tells this data set from others: how many annotations, and a digest of all that they are

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def load(cls, samples: Iterable[Sample], device: torch.device | str = "cpu") -> "ResidentData":
        """Read all samples; every annotation becomes one training sample.

        Raises:
            ImageError: a file cannot be read, or an image has no annotation.
            UsageError: there is no sample.
        """
        pixels, labels, digest = [], [], hashlib.sha256()
        names: list[str] = []
        table: list[tuple[int, ...]] = []
        image_start = label_start = 0
        for sample in samples:
            image = sample.image()
            height, width = image.shape[:2]
            pixels.append(image.reshape(-1, 3))
            digest.update(repr((sample.image_id, image.shape)).encode())
            digest.update(image.tobytes())
            segmentations = sample.segmentations()
            if not segmentations:
                raise ImageError(f"the training image {sample.image_id} has no annotation; fetch its labels again or leave it out")
            first = len(names)
            for number, segmentation in enumerate(segmentations):
                labels.append(_dense_ids(segmentation))
                digest.update(labels[-1].tobytes())
                names.append(f"{sample.image_id}, annotation {number}")
                table.append((image_start, label_start, height, width, first, len(segmentations)))
                label_start += height * width
            image_start += height * width
        if not table:
            raise UsageError("the data set is empty; name a folder with images and labels")
        classes = int(max(ids.max() for ids in labels)) + 1
        image_starts, label_starts, heights, widths, firsts, counts = np.array(table, np.int64).T
        return cls(
            torch.from_numpy(np.concatenate(pixels)).to(device),
            torch.from_numpy(np.concatenate(labels, dtype=_id_type(classes - 1))).to(device),
            image_starts,
            label_starts,
            heights,
            widths,
            firsts,
            counts,
            names,
            classes,
            f"{len(names)} annotations ({digest.hexdigest()[:12]})",
        )


def _dense_ids(segmentation: NDArray[np.uint16]) -> NDArray[np.integer[Any]]:
    """(H, W) of any ids -> (H * W,) of ids 0..K-1 in the same order. By counting, as sorting all pixels takes ten times as long."""
    present = np.bincount(segmentation.reshape(-1)) > 0
    new = np.cumsum(present) - 1
    return new.astype(_id_type(new[-1]))[segmentation.reshape(-1)]


def _id_type(largest: int) -> type[np.integer[Any]]:
    """The smallest type of ids that torch has too."""
    return np.uint8 if largest < 2**8 else np.int16 if largest < 2**15 else np.int32
