"""Evaluate a folder of label maps against BSDS500.

    rows, summary = evaluate_folder("labels", "BSDS500/data", "val")
    print(format_summary(summary))

A label map is one file per image, named by the image's id (`3096.npy` for `3096.jpg`), of the image's size, with ids >= 0:
    .npy    a 2-D integer array
    .csv    a line per row of pixels, comma separated integers: what superpixel-benchmark reads
    .png    16 bits, one channel
"""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ainet.errors import UsageError
from ainet.metrics.label_map import LabelMap
from ainet.metrics.summary import Row, Summary, evaluate_image, summarise
from ainet.training.datasets import BSDS500


def evaluate_folder(labels_dir: str | os.PathLike[str], bsds_root: str | os.PathLike[str], split: str) -> tuple[list[Row], Summary]:
    """Measure the label maps of all images of one split against all their ground truths.

    Args:
        labels_dir: folder of label maps; files of other images are ignored.
        bsds_root: folder with BSDS500's `images` and `groundTruth`.
        split: "train", "val" or "test".

    Returns:
        A row per (image, ground truth) pair, sorted by image, and the means over them.

    Raises:
        UsageError: an image lacks its label map or has two, a map cannot be read or is not of its image's size, or BSDS500 is not there.
        ImageError: an image or ground truth of BSDS500 is damaged.
    """
    samples = BSDS500(bsds_root, split)
    paths = _label_files(Path(labels_dir), [sample.image_id for sample in samples])
    rows = []
    for sample in samples:
        path = paths[sample.image_id]
        labels, image = _read_labels(path), sample.image()
        if labels.shape != image.shape[:2]:
            raise UsageError(f"{path} is {labels.shape} but its image is {image.shape[:2]} (H, W); write label maps of the image's size")
        rows += evaluate_image(sample.image_id, labels, sample.segmentations(), image)
    return rows, summarise(rows)


def _read_labels(path: Path) -> LabelMap:
    try:
        labels = READERS[path.suffix](path)
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(f"cannot read labels from {path}: {error}; write the file again") from error
    return LabelMap(labels, os.fspath(path))


def _read_npy(path: Path) -> npt.NDArray[np.integer]:
    return np.load(path, allow_pickle=False)


def _read_csv(path: Path) -> npt.NDArray[np.integer]:
    return np.loadtxt(path, dtype=np.int64, delimiter=",", ndmin=2)


def _read_png(path: Path) -> npt.NDArray[np.integer]:
    labels = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise ValueError("it is no PNG, or damaged")
    if labels.dtype != np.uint16 or labels.ndim != 2:  # 8 bits would have wrapped ids above 255; three channels are a picture
        raise ValueError(f"the PNG decodes to {labels.dtype} of shape {labels.shape}, not to one channel of 16 bits")
    return labels.astype(np.uint16, copy=False)


READERS: dict[str, Callable[[Path], npt.NDArray[np.integer]]] = {".npy": _read_npy, ".csv": _read_csv, ".png": _read_png}


def _label_files(folder: Path, image_ids: list[str]) -> dict[str, Path]:
    """The label file of every image, checked before the first is measured."""
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}; name the folder of label maps")
    found = {image_id: [path for suffix in READERS if (path := folder / f"{image_id}{suffix}").is_file()] for image_id in image_ids}
    if missing := [image_id for image_id, paths in found.items() if not paths]:
        first = f"{folder / missing[0]} ({', '.join(READERS)})"
        raise UsageError(f"{len(missing)} of {len(found)} images have no label map, first {first}; write one for each image of the split")
    if doubled := [paths for paths in found.values() if len(paths) > 1]:
        raise UsageError(f"{folder} has {doubled[0][0].name} and {doubled[0][1].name} for one image; keep one of them")
    return {image_id: paths[0] for image_id, paths in found.items()}
