"""Evaluate a folder of label maps against BSDS500.

    print(format_summary(evaluate_folder("labels", "BSDS500/data", "val")))

A label map is one file per image, named by the image's id (`3096.npy` for `3096.jpg`), of the image's size; see `ainet.labels`.
"""

import os
from pathlib import Path

from ainet.errors import UsageError
from ainet.labels import ENDINGS, check_same_size, find_labels, read_labels
from ainet.metrics import Row, Summary, evaluate_image, summarise
from ainet.training.datasets import bsds500


def evaluate_folder(labels_dir: str | os.PathLike[str], bsds_root: str | os.PathLike[str], split: str) -> Summary:
    """Evaluate the label maps of all images of one split against all their ground truths.

    Args:
        labels_dir: folder of label maps; files of other images are ignored.
        bsds_root: folder with BSDS500's `images` and `groundTruth`.
        split: "train", "val" or "test".

    Returns:
        The means over all pairs of an image and a ground truth.

    Raises:
        UsageError: an image lacks its label map or has two, or BSDS500 is not there.
        ImageError: a map cannot be read or is not of its image's size, or an image or ground truth of BSDS500 is damaged.
    """
    samples = bsds500(bsds_root, split)
    paths = _label_files(Path(labels_dir), [sample.image_id for sample in samples])
    rows: list[Row] = []
    for sample in samples:
        path = paths[sample.image_id]
        labels, image = read_labels(path), sample.image()
        check_same_size(labels, path, image.shape[:2])
        rows += evaluate_image(sample.image_id, labels, sample.segmentations(), image)
    return summarise(rows)


def _label_files(folder: Path, image_ids: list[str]) -> dict[str, Path]:
    """The label file of every image, checked before the first is evaluated."""
    found = find_labels(folder, image_ids)
    missing = [image_id for image_id in image_ids if image_id not in found]
    if missing:
        first = f"{folder / missing[0]} ({', '.join(ENDINGS.values())})"
        raise UsageError(
            f"{len(missing)} of {len(image_ids)} images have no label map, first {first}; write one for each image of the split"
        )
    several = [found[image_id] for image_id in image_ids if len(found[image_id]) > 1]
    if several:
        raise UsageError(f"{folder} has {several[0][0].name} and {several[0][1].name} for one image; keep one of them")
    return {image_id: found[image_id][0] for image_id in image_ids}
