"""Any folder of images with label maps: `label_folder("data/images", "data/labels")`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.folders import walk
from ainet.images import read_image
from ainet.labels import check_same_size, find_labels, read_labels
from ainet.training.datasets.sample import as_uint16, without_border

LAYOUT = """expected
  IMAGES/NAME.jpg (or .png, .bmp, .tif, .webp)
  LABELS/NAME.png (or .csv, .npy), or several annotations as LABELS/NAME-0.png, LABELS/NAME-1.png ..."""


@dataclass(frozen=True)
class FolderSample:
    """An image file and its label files. `border` pixels are cut off at each side of both."""

    image_path: Path
    label_paths: tuple[Path, ...]
    border: int = 0

    @property
    def image_id(self) -> str:
        return self.image_path.stem

    @property
    def files(self) -> tuple[Path, ...]:
        """The image and its label maps."""
        return self.image_path, *self.label_paths

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return without_border(read_image(self.image_path), self.border)

    def segmentations(self) -> list[NDArray[np.uint16]]:
        """One (H, W) map of region ids per label file.

        Raises:
            ImageError: a file cannot be read or is not of the image's size.
        """
        size = read_image(self.image_path).shape[:2]
        maps = []
        for path in self.label_paths:
            labels = read_labels(path)
            check_same_size(labels, path, size)
            maps.append(without_border(as_uint16(labels, path), self.border))
        return maps


def label_folder(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    border: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> list[FolderSample]:
    """Images and label maps that share their names, sorted by name; `report` is given a line on what else the folder of images holds.

    Raises:
        UsageError: a folder is not there or empty, two files in it differ in their suffixes alone, or an image or label map lacks
            its partner or is its own.
    """
    image_paths = _images(Path(images), report)
    label_paths = find_labels(labels, image_paths)
    for found, folder in ((image_paths, images), (label_paths, labels)):
        if not found:
            raise UsageError(f"nothing usable in {folder}; {LAYOUT}")
    lonely = sorted(image_paths.keys() ^ label_paths.keys())
    if lonely:
        missing = f"no label map in {labels}" if lonely[0] in image_paths else f"no image in {images}"
        raise UsageError(f"{len(lonely)} files lack a partner: '{lonely[0]}' has {missing}; {LAYOUT}")
    for name, path in image_paths.items():
        if any(path.samefile(other) for other in label_paths[name]):
            raise UsageError(f"{path} stands for an image and for its own label map; {LAYOUT}")
    return [FolderSample(path, tuple(label_paths[name]), border) for name, path in image_paths.items()]


def _images(folder: Path, report: Callable[[str], None]) -> dict[str, Path]:
    """The images of a folder, by name without suffix."""
    listing = walk(folder, below=False)
    if listing.problems:
        raise listing.problems[0]
    if listing.summary():
        report(listing.summary())
    found: dict[str, Path] = {}
    for file in listing.files:
        other = found.setdefault(file.stem, folder / file)
        if other != folder / file:
            raise UsageError(f"{folder} has {other.name} and {file.name} under one name; keep one of them")
    return found
