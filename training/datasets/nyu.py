"""NYUv2 (Silberman et al., ECCV 2012) as superpixels are evaluated on it: 448 x 608 pixels, without the blank frame.

    nyuv2("NYUV2", "test")

The protocol (Stutz et al., CVIU 2018; used by SCN and AINet) takes 400 of the 1,449 labelled images to test and 200 to
train, numbered in `nyuv2_subset.json`, and cuts 16 pixels from each side of 480 x 640.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ainet.errors import ImageError, UsageError
from ainet.files import is_file, is_folder
from ainet.folders import walk
from ainet.images import read_image
from ainet.training.datasets.folder import FolderSample, label_folder
from ainet.training.datasets.sample import without_border

BORDER = 16
FULL_SIZE = (480, 640)
MAT_NAME = "nyu_depth_v2_labeled.mat"
SUBSET = Path(__file__).parent / "nyuv2_subset.json"
LAYOUT = f"""expected either
  ROOT/{MAT_NAME}
or, as the superpixel benchmark prepares it,
  ROOT/images/{{split}}/00000012.png ...
  ROOT/csv_groundTruth/{{split}}/00000012-0.csv ... (or labels/{{split}}/00000012.png)"""


@dataclass(frozen=True)
class NYUSample:
    """One image of the labelled .mat; `number` counts from 1."""

    path: Path
    number: int

    @property
    def image_id(self) -> str:
        return f"{self.number:08d}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The .mat, which holds all images."""
        return (self.path,)

    def image(self) -> NDArray[np.uint8]:
        """(448, 608, 3) uint8 RGB.

        Raises:
            ImageError: the .mat file is damaged or of another kind.
        """
        return without_border(self._read("images", np.uint8, (*FULL_SIZE, 3)), BORDER)

    def segmentations(self) -> list[NDArray[np.uint16]]:
        """One (448, 608) map; a region is one instance of one class, 0 what nobody has labelled.

        Raises:
            ImageError: the .mat file is damaged or of another kind.
        """
        labels, instances = (self._read(name, np.int64, FULL_SIZE) for name in ("labels", "instances"))
        key = np.where(labels > 0, labels * 256 + instances, 0)  # instances are 8 bits
        regions = np.unique(key, return_inverse=True)[1].reshape(key.shape)
        if key.min() > 0:
            regions += 1  # 0 stays for what nobody has labelled
        return [without_border(fill_gaps(regions.astype(np.uint16)), BORDER)]

    def _read(self, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
        """What the file holds of this image under `name`, as `dtype`, in the order (H, W, ...)."""
        import h5py

        try:
            with h5py.File(self.path) as file:
                array = np.asarray(file[name][self.number - 1]).T.astype(dtype, casting="safe")
        except Exception as error:  # h5py raises whatever its library meets in a damaged file
            raise ImageError(f"cannot read {name} of image {self.number} in {self.path} ({error}); fetch the file again") from error
        if array.shape != shape:
            raise ImageError(f"{name} of image {self.number} in {self.path} has the shape {array.shape}, not {shape}; fetch the file again")
        return array


def nyuv2(
    root: str | os.PathLike[str], split: str, report: Callable[[str], None] = lambda line: None
) -> list[NYUSample] | list[FolderSample]:
    """The images of one split, "train" (200 images) or "test" (400); `report` is given a line on what else a folder of images holds.

    From the .mat file (needs h5py), unlabelled gaps are closed by `fill_gaps`; the benchmark's own files used a
    repeated median filter instead, so figures to compare with the literature need the second layout.

    Raises:
        UsageError: the files are not there, or h5py is not installed.
        ImageError: a file cannot be read.
    """
    root = Path(root)
    mat = root / MAT_NAME
    if is_file(mat):
        try:
            import h5py  # noqa: F401
        except ImportError as error:
            raise UsageError(f"reading {mat} needs h5py; pip install h5py") from error
        subset = json.loads(SUBSET.read_text())
        if split not in subset:
            raise UsageError(f"NYUv2 has no split '{split}'; choose train or test")
        return [NYUSample(mat, number) for number in subset[split]]
    images = root / "images" / split
    folders = [root / name / split for name in ("csv_groundTruth", "labels")]
    labels = next((folder for folder in folders if is_folder(folder)), None)
    if labels is None or not is_folder(images):
        raise UsageError(f"no NYUv2 '{split}' in {root}; {LAYOUT.format(split=split)}")
    files = walk(images, below=False).files
    uncut = bool(files) and read_image(images / files[0]).shape[:2] == FULL_SIZE
    return label_folder(images, labels, border=BORDER if uncut else 0, report=report)


def fill_gaps(regions: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Give thin or small unlabelled (0) areas the nearest region's id: those that a closing by a disc of radius 5 removes, or
    of fewer than 500 pixels; (H, W) -> (H, W). Larger ones stay 0."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    closed = cv2.morphologyEx((regions > 0).astype(np.uint8), cv2.MORPH_CLOSE, disc)
    _, components, statistics, _ = cv2.connectedComponentsWithStats(1 - closed)
    wanted = (closed > 0) | (statistics[components, cv2.CC_STAT_AREA] < 500)
    nearest = ndimage.distance_transform_edt(regions == 0, return_distances=False, return_indices=True)
    return np.where(wanted, regions[tuple(nearest)], 0).astype(np.uint16)
