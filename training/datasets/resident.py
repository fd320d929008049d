"""A whole data set as a few tensors on the training device, from which crops of any position are one gather.

All pixels lie in one row, image after image, so images of any size live together without padding:
pixel (y, x) of image n is at `image_start[n] + y * width[n] + x`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.errors import UsageError
from ainet.training.datasets.sample import Sample


@dataclass(frozen=True)
class ResidentData:
    """N annotations of M images. The bulk is on the device, the small tables stay with the program that draws crops.

    pixels: (sum of H * W over images, 3) uint8 RGB; labels: (sum of H * W over annotations,) uint8, int16 or int32, ids 0..classes-1
    without gaps per annotation; image_start, label_start, height, width: (N,) int64; names: what each annotation is.
    """

    pixels: Tensor
    labels: Tensor
    image_start: NDArray[np.int64]
    label_start: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    names: list[str]
    classes: int

    @property
    def summary(self) -> str:
        """What tells this data set from others: how many annotations, and a digest of their names and sizes."""
        rows = zip(self.names, self.height.tolist(), self.width.tolist(), strict=True)
        return f"{len(self)} annotations ({hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:12]})"

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def load(cls, samples: Iterable[Sample], device: torch.device | str = "cpu") -> "ResidentData":
        """Read all samples; every annotation becomes one training sample.

        Raises:
            ImageError: a file cannot be read.
            UsageError: there is no sample.
        """
        pixels, labels, names = [], [], []
        table: list[tuple[int, int, int, int]] = []
        image_start = label_start = 0
        for sample in samples:
            image = sample.image()
            height, width = image.shape[:2]
            pixels.append(image.reshape(-1, 3))
            for number, segmentation in enumerate(sample.segmentations()):
                labels.append(np.unique(segmentation, return_inverse=True)[1].reshape(-1).astype(np.int32))
                names.append(f"{sample.image_id}, annotation {number}")
                table.append((image_start, label_start, height, width))
                label_start += height * width
            image_start += height * width
        if not table:
            raise UsageError("the data set is empty; name a folder with images and labels")
        classes = int(max(ids.max() for ids in labels)) + 1
        id_type = np.uint8 if classes <= 2**8 else np.int16 if classes <= 2**15 else np.int32
        image_starts, label_starts, heights, widths = np.array(table, np.int64).T
        return cls(
            torch.from_numpy(np.concatenate(pixels)).to(device),
            torch.from_numpy(np.concatenate([ids.astype(id_type) for ids in labels])).to(device),
            image_starts,
            label_starts,
            heights,
            widths,
            names,
            classes,
        )
