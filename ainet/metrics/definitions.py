"""Superpixel metrics on label maps, equal to David Stutz's superpixel-benchmark (github.com/davidstutz/superpixel-benchmark).

    evaluate(labels, ground_truths, image)                  # every metric, one row per ground truth
    achievable_segmentation_accuracy(labels, ground_truth)  # or one at a time

`labels` holds superpixel ids and `ground_truth` segment ids, both (H, W), of any integer dtype, with ids in [0, 2**31); ids may have
gaps and need not be connected. To give one map to several metrics, pass a `LabelMap` in its place: what is derived from it is kept.

Notation of the docstrings: N = H * W pixels, S_j the pixels of superpixel j, G_i those of segment i, n_ij = |S_j and G_i|. A pixel
is a boundary pixel when one of its four neighbours inside the image has another id; boundaries are thus two pixels wide.
Quotients of two counts are taken in 32-bit floats, as the tool does, and agree with it bit for bit; everything else is computed in
64 bits where the tool sums in 32, and agrees to 1e-3 (`sse_xy`: 5e-3).

Every function raises `UsageError` for arrays that are no label maps, and for maps or images of different sizes.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ainet.arguments import checked_list
from ainet.arrays import checked_array
from ainet.errors import UsageError
from ainet.metrics.label_map import LabelMap, region_means

Image: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.integer[Any]] | LabelMap


# --- superpixels against a ground truth -----------------------------------------------------------------------------------------------


def achievable_segmentation_accuracy(labels: Labels, ground_truth: Labels) -> float:
    """ASA in [0, 1], higher is better: (1/N) sum_j max_i n_ij (Liu et al., 2011)."""
    labels, ground_truth = _pair(labels, ground_truth)
    return _quotient(labels.overlap(ground_truth).label_largest.sum(), labels.pixels)


def undersegmentation_error(labels: Labels, ground_truth: Labels) -> float:
    """UE of van den Bergh et al. (2012) in [0, 1], lower is better: (1/N) sum_j (|S_j| - max_i n_ij), which is 1 - ASA."""
    labels, ground_truth = _pair(labels, ground_truth)
    return _quotient(labels.pixels - labels.overlap(ground_truth).label_largest.sum(), labels.pixels)


def undersegmentation_error_np(labels: Labels, ground_truth: Labels) -> float:
    """UE of Neubert and Protzel (2012), >= 0, lower is better: (1/N) sum over n_ij > 0 of min(n_ij, |S_j| - n_ij)."""
    labels, ground_truth = _pair(labels, ground_truth)
    table = labels.overlap(ground_truth)
    return _quotient(np.minimum(table.pixels, table.label_sizes[table.label] - table.pixels).sum(), labels.pixels)


def undersegmentation_error_levin(labels: Labels, ground_truth: Labels) -> float:
    """UE of Levinshtein et al. (2009), >= 0, lower is better: the mean over segments of (area of all S_j that touch G_i - |G_i|) / |G_i|.

    The tool divides by the largest segment id + 1, so ids that no pixel has count as segments without error.
    """
    labels, ground_truth = _pair(labels, ground_truth)
    table = labels.overlap(ground_truth)
    covering = np.bincount(table.segment, weights=table.label_sizes[table.label])  # (M,)
    return float(((covering - table.segment_sizes) / table.segment_sizes).sum() / (ground_truth.largest_id + 1))


def oversegmentation_error(labels: Labels, ground_truth: Labels) -> float:
    """OE in [0, 1]: (1/N) sum_i (|G_i| - max_j n_ij); near 1 wherever superpixels are much smaller than segments."""
    labels, ground_truth = _pair(labels, ground_truth)
    return _quotient(labels.pixels - labels.overlap(ground_truth).segment_largest.sum(), labels.pixels)


def boundary_recall(labels: Labels, ground_truth: Labels) -> float:
    """BR in [0, 1], higher is better: the share of ground-truth boundary pixels that have a superpixel boundary within the tolerance.

    0 when the ground truth has no boundary.
    """
    labels, ground_truth = _pair(labels, ground_truth)
    return _quotient(_matched(labels, ground_truth), ground_truth.boundary_pixels) if ground_truth.boundary_pixels else 0.0


def boundary_precision(labels: Labels, ground_truth: Labels) -> float:
    """BP in [0, 1], higher is better: TP / (TP + FP).

    TP is that of `boundary_recall`, a number of ground-truth boundary pixels; FP is the number of superpixel boundary pixels that have no
    ground-truth boundary within the tolerance. 0 when both are 0.
    """
    labels, ground_truth = _pair(labels, ground_truth)
    true_positives = _matched(labels, ground_truth)
    false_positives = int(np.count_nonzero(labels.boundary & ~ground_truth.near_boundary))
    return _quotient(true_positives, true_positives + false_positives) if true_positives + false_positives else 0.0


def mean_distance_to_edge(labels: Labels, ground_truth: Labels) -> float:
    """MDE in pixels, lower is better: the mean chamfer distance of ground-truth boundary pixels to the nearest superpixel boundary pixel.

    8192 when the superpixels have no boundary (the tool's value), nan when the ground truth has none. OpenCV versions round the
    chamfer steps differently: up to 1e-4 relative.
    """
    labels, ground_truth = _pair(labels, ground_truth)
    if ground_truth.boundary_pixels == 0:
        return math.nan
    return float(labels.distance_to_boundary[ground_truth.boundary].mean(dtype=np.float64))


# --- superpixels alone ----------------------------------------------------------------------------------------------------------------


def compactness(labels: Labels) -> float:
    """CO in (0, 1], higher is rounder: (1/N) sum_j |S_j| 4 pi |S_j| / L_j^2 (Schick et al., 2012).

    The perimeter L_j counts the sides of pixels that face another id or the frame of the image.
    """
    labels = _label_map(labels)
    sides = labels.other_neighbours.astype(np.float64)
    for frame in (sides[0], sides[-1], sides[:, 0], sides[:, -1]):
        frame += 1
    perimeters = np.bincount(labels.index.ravel(), weights=sides.ravel())  # (K,)
    return float((labels.sizes * (4 * math.pi * labels.sizes / perimeters**2)).sum() / labels.pixels)


def contour_density(labels: Labels) -> float:
    """CD in [0, 1]: the share of boundary pixels."""
    labels = _label_map(labels)
    return _quotient(labels.boundary_pixels, labels.pixels)


def regularity(labels: Labels) -> float:
    """The tool's `reg`: boundary length of a regular grid over the number of boundary pixels. It takes H for the width too.

    inf or nan when there is no boundary; nan when the largest id is not below N (where the tool itself crashes).
    """
    labels = _label_map(labels)
    height = labels.shape[0]
    step = math.isqrt(labels.pixels // (labels.largest_id + 1))
    if step == 0:
        return math.nan
    lines = height // step
    return _quotient(2 * lines * height - lines**2, labels.boundary_pixels)


def superpixel_count(labels: Labels) -> int:
    """Number of distinct ids; unconnected pieces of one id count once."""
    return len(_label_map(labels).sizes)


def mean_superpixel_size(labels: Labels) -> float:
    """Pixels per superpixel: N over `superpixel_count`."""
    labels = _label_map(labels)
    return _quotient(labels.pixels, len(labels.sizes))


def superpixel_size_variation(labels: Labels) -> float:
    """Standard deviation of the sizes in pixels, over all superpixels."""
    return float(_label_map(labels).sizes.std())


def sum_of_squared_error_xy(labels: Labels) -> float:
    """(1/N) sum over pixels of the squared distance, in pixels, to the centre of their superpixel."""
    labels = _label_map(labels)
    rows, columns = np.indices(labels.shape)
    return float(_squared_deviations(labels, np.stack([rows, columns], axis=-1)).sum() / labels.pixels)


# --- superpixels on an image: (H, W, 3) uint8 RGB, values in [0, 255] -----------------------------------------------------------------


def sum_of_squared_error_rgb(labels: Labels, image: Image) -> float:
    """(1/N) sum over pixels of the squared distance to the mean colour of their superpixel, lower is better."""
    labels = _label_map(labels)
    return float(_squared_deviations(labels, _checked_image(labels, image)).sum() / labels.pixels)


def explained_variation(labels: Labels, image: Image) -> float:
    """EV in [0, 1], higher is better: the share of the image's colour variance that the superpixels' means keep (Moore et al., 2008).

    nan for an image of a single colour.
    """
    labels = _label_map(labels)
    image = _checked_image(labels, image)
    mean = image.mean(axis=(0, 1))
    means = region_means(labels.index.ravel(), image.reshape(-1, 3))  # (K, 3)
    kept = labels.sizes @ ((means - mean) ** 2).sum(axis=-1)
    total = ((image - mean) ** 2).sum()
    return float(kept / total) if total else math.nan


def intra_cluster_variation(labels: Labels, image: Image) -> float:
    """ICV, >= 0, lower is better: the mean over superpixels of the standard deviation of their colours (Benesova and Kottman, 2014).

    The tool divides by the largest id + 1, so ids that no pixel has count as superpixels without variation.
    """
    labels = _label_map(labels)
    deviations = _squared_deviations(labels, _checked_image(labels, image))
    return float(np.sqrt(deviations / labels.sizes).sum() / (labels.largest_id + 1))


# --- all at once ----------------------------------------------------------------------------------------------------------------------

# Keyed and ordered as the columns of the tool's results.
PAIR_METRICS: dict[str, Callable[[Labels, Labels], float]] = {
    "rec": boundary_recall,
    "pre": boundary_precision,
    "asa": achievable_segmentation_accuracy,
    "ue": undersegmentation_error,
    "ue_np": undersegmentation_error_np,
    "ue_levin": undersegmentation_error_levin,
    "oe": oversegmentation_error,
    "mde": mean_distance_to_edge,
}
LABEL_METRICS: dict[str, Callable[[Labels], float]] = {
    "co": compactness,
    "cd": contour_density,
    "reg": regularity,
    "sp": superpixel_count,
    "sp_size": mean_superpixel_size,
    "sp_size_variation": superpixel_size_variation,
    "sse_xy": sum_of_squared_error_xy,
}
IMAGE_METRICS: dict[str, Callable[[Labels, Image], float]] = {
    "ev": explained_variation,
    "sse_rgb": sum_of_squared_error_rgb,
    "icv": intra_cluster_variation,
}


def evaluate(labels: Labels, ground_truths: Iterable[Labels], image: Image | None = None) -> list[dict[str, float]]:
    """Every metric of one label map, by the tool's names: one row per ground truth; `ev`, `sse_rgb` and `icv` only with an image.

    Args:
        labels: (H, W) superpixel ids.
        ground_truths: at least one (H, W) map of segment ids.
        image: (H, W, 3) uint8 RGB, values in [0, 255].
    """
    labels = _label_map(labels)
    alone = {name: metric(labels) for name, metric in LABEL_METRICS.items()}
    if image is not None:
        alone |= {name: metric(labels, image) for name, metric in IMAGE_METRICS.items()}
    segmentations = [_pair(labels, ground_truth)[1] for ground_truth in checked_list("ground_truths", ground_truths)]
    if not segmentations:
        raise UsageError("ground_truths is empty; pass at least one segmentation of the image")
    return [{name: metric(labels, segments) for name, metric in PAIR_METRICS.items()} | alone for segments in segmentations]


# --- shared steps ---------------------------------------------------------------------------------------------------------------------


def _label_map(labels: Labels, name: str = "labels") -> LabelMap:
    return labels if isinstance(labels, LabelMap) else LabelMap(labels, name)


def _pair(labels: Labels, ground_truth: Labels) -> tuple[LabelMap, LabelMap]:
    labels, ground_truth = _label_map(labels), _label_map(ground_truth, "ground_truth")
    if labels.shape != ground_truth.shape:
        raise UsageError(f"labels are {labels.shape} but ground_truth is {ground_truth.shape} (H, W); they must be of one size")
    return labels, ground_truth


def _checked_image(labels: LabelMap, image: Image) -> Image:
    image = checked_array("image", image)
    if image.dtype != np.uint8 or image.shape != (*labels.shape, 3):
        expected = f"uint8 RGB of shape {(*labels.shape, 3)}, like the label map"
        raise UsageError(f"image must be {expected}; got {image.dtype} of shape {image.shape}")
    return image


def _quotient(numerator: int | np.integer[Any], denominator: int | np.integer[Any]) -> float:
    """A quotient of counts in the tool's 32-bit arithmetic; x / 0 is inf, 0 / 0 nan."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float32(numerator) / np.float32(denominator))


def _matched(labels: LabelMap, ground_truth: LabelMap) -> int:
    """Ground-truth boundary pixels with a superpixel boundary pixel within the tolerance."""
    return int(np.count_nonzero(ground_truth.boundary & labels.near_boundary))


def _squared_deviations(labels: LabelMap, features: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(H, W, C) features -> (K,) sum over each superpixel's pixels of the squared distance to its mean."""
    means = region_means(labels.index.ravel(), features.reshape(-1, features.shape[2]))  # (K, C)
    deviations = ((features - means[labels.index]) ** 2).sum(axis=-1)  # (H, W)
    return np.bincount(labels.index.ravel(), weights=deviations.ravel())
