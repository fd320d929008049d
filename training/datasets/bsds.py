"""BSDS500 in its official layout (Arbelaez et al., PAMI 2011): `bsds500("BSDS500/data", "train")`."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.files import is_folder
from ainet.images import read_image
from ainet.labels import check_same_size, read_bsds_truths
from ainet.training.datasets.sample import as_uint16

LAYOUT = """expected
  ROOT/images/{split}/100075.jpg ...
  ROOT/groundTruth/{split}/100075.mat ...
where ROOT is the folder BSDS500/data of the official archive BSR_bsds500.tgz"""


@dataclass(frozen=True)
class BSDSSample:
    """An image with 4 to 9 ground truths."""

    image_path: Path
    truth_path: Path

    @property
    def image_id(self) -> str:
        return self.image_path.stem

    @property
    def files(self) -> tuple[Path, ...]:
        """The image and the ground truth."""
        return self.image_path, self.truth_path

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return read_image(self.image_path)

    def segmentations(self) -> list[NDArray[np.uint16]]:
        """One (H, W) map of region ids per ground truth, as they are in the file (from 1).

        Raises:
            ImageError: the .mat file is damaged or of another kind, or an annotation is not of the image's size.
        """
        size = self.image().shape[:2]
        maps = read_bsds_truths(self.truth_path)
        for number, labels in enumerate(maps):
            check_same_size(labels, f"annotation {number} of {self.truth_path}", size)
        return [as_uint16(labels, self.truth_path) for labels in maps]


def bsds500(root: str | os.PathLike[str], split: str) -> list[BSDSSample]:
    """The images of one split, sorted by name.

    Args:
        root: folder with `images` and `groundTruth`.
        split: "train" (200 images), "val" (100) or "test" (200).

    Raises:
        UsageError: the folders are not there or empty, or an image or ground truth lacks its partner.
    """
    images = _by_name(Path(root) / "images" / split, ".jpg")
    truths = _by_name(Path(root) / "groundTruth" / split, ".mat")
    layout = LAYOUT.format(split=split)
    if not images or not truths:
        missing = "image" if not images else "ground truth"
        raise UsageError(f"no {missing} of BSDS500 '{split}' in {root}; {layout}")
    lonely = sorted(images.keys() ^ truths.keys())
    if lonely:
        partner = "ground truth" if lonely[0] in images else "image"
        raise UsageError(f"{len(lonely)} of BSDS500 '{split}' in {root} lack a partner: {lonely[0]} has no {partner}; {layout}")
    return [BSDSSample(images[name], truths[name]) for name in images]


def _by_name(folder: Path, suffix: str) -> dict[str, Path]:
    if not is_folder(folder):
        return {}
    return {path.stem: path for path in sorted(folder.glob(f"[!.]*{suffix}"))}  # macOS puts ._NAME beside NAME
