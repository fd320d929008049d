"""What a calibrated model is judged by: its superpixels on images with ground truths.

images, score = scored_images_of_bsds("BSDS500/data")
score(labels)    # of one label map an image: {"asa": 0.97, "br": 0.86, "bp": 0.12, "co": 0.37}
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.calibration.images import CalibrationImage, choose_images
from ainet.export.agreement import means, metrics
from ainet.metrics import LabelMap

Score = Callable[[Sequence[NDArray[np.int32]]], dict[str, float]]

SCORED = 20  # images


def scored_images_of_bsds(root: str | os.PathLike[str]) -> tuple[list[CalibrationImage], Score]:
    """Images of BSDS500 train, and a score by what people have drawn on them.

    Raises:
        ImportError: the packages that read BSDS500 are not there.
        UsageError, ImageError: `root` does not hold BSDS500, or an image is damaged.
    """
    from ainet.training.datasets import bsds500  # its packages are needed here alone

    samples = {sample.image_path: sample for sample in bsds500(root, "train")}
    images = choose_images(list(samples), SCORED, seed=1)
    return images, score_by([samples[image.path].segmentations() for image in images])


def scored_images_of_folder(files: Sequence[Path], calibrated: Sequence[CalibrationImage]) -> tuple[list[CalibrationImage], Score]:
    """Images of `files`, others than the model is calibrated on where there are enough, and a score by regions that no network has made.

    These are Felzenszwalb and Huttenlocher's graph segmentation (IJCV 2004).

    Raises:
        UsageError: the images show nothing.
        ImageError: an image is damaged.
    """
    taken = {image.path for image in calibrated}
    others = [path for path in files if path not in taken]
    images = choose_images(others, SCORED, seed=1) if len(others) >= SCORED else list(calibrated[:SCORED])
    segmenter = cv2.ximgproc.segmentation.createGraphSegmentation(sigma=0.8, k=300, min_size=400)
    truths = []
    for image in images:
        bgr = image.pixels[..., ::-1].copy()
        truths.append([segmenter.processImage(bgr).astype(np.int32)])
    return images, score_by(truths)


def score_by(truths: Sequence[Sequence[NDArray[np.integer]]]) -> Score:
    """The score of label maps, one an image, by the ground truths (H, W) of each image: means over all pairs."""
    maps = [[LabelMap(truth, "ground_truth") for truth in of_image] for of_image in truths]

    def score(labels: Sequence[NDArray[np.int32]]) -> dict[str, float]:
        rows = []
        for superpixels, of_image in zip(map(LabelMap, labels), maps, strict=True):
            rows += [metrics(superpixels, truth) for truth in of_image]
        return means(rows)

    return score
