"""What to do with a label map: boundaries, overlay, mean colours, region table, adjacency. All vectorised numpy.

Label maps are (H, W) arrays of any integer type; labels need not be consecutive.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.arrays import checked_array, checked_colour
from ainet.errors import UsageError
from ainet.images import as_rgb
from ainet.metrics.label_map import count_other_neighbours, region_means

Labels = NDArray[np.integer[Any]]


def boundaries(labels: Labels) -> NDArray[np.bool_]:
    """(H, W) bool: pixels with another label above, below, left or right; so lines are two pixels wide.

    The definition of the superpixel benchmark (Stutz et al., 2018) and of scikit-image's `find_boundaries`, mode "thick".

    Raises:
        UsageError: the labels are no such array, or empty.
    """
    return count_other_neighbours(_checked(labels)) > 0


def overlay(image: Any, labels: Labels, colour: tuple[float, float, float] = (255, 255, 0)) -> NDArray[np.uint8]:
    """Draw the superpixels' outlines, one pixel wide, into a copy of the image.

    `image`: as for `ainet.segment`, of the labels' size. `colour`: R, G, B, whole numbers in 0..255 or floats in [0, 1].
    Returns RGB uint8 (H, W, 3).

    Raises:
        UsageError: the labels are no such array, or differ from the image in size; no such colour.
        ImageError: an image of another shape, type or range.
    """
    labels, ink = _checked(labels), checked_colour(colour)
    picture = _matching(image, labels).copy()
    line = np.zeros(labels.shape, bool)
    line[:-1] |= labels[1:] != labels[:-1]
    line[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    picture[line] = ink
    return picture


def mean_colour(image: Any, labels: Labels) -> NDArray[np.uint8]:
    """The image with every superpixel painted in its mean colour: RGB uint8 (H, W, 3).

    Raises:
        UsageError: the labels are no such array, or differ from the image in size.
        ImageError: an image of another shape, type or range.
    """
    labels = _checked(labels)
    _, index = np.unique(labels, return_inverse=True)
    index = index.reshape(-1)
    means = region_means(index, _matching(image, labels).reshape(-1, 3))
    return np.round(means).astype(np.uint8)[index].reshape(*labels.shape, 3)


def region_table(labels: Labels, image: Any = None) -> dict[str, NDArray[Any]]:
    """One row per label, ascending, as columns (the layout of scikit-image's `regionprops_table`).

    Returns:
        label (K,); area (K,) in pixels; centroid (K, 2) row and column, float64; bbox (K, 4) min_row, min_column, max_row,
        max_column, the last two exclusive; and with an `image` mean_colour (K, 3) R, G, B in 0..255, float64.

    Raises:
        UsageError: the labels are no such array, or differ from the image in size.
        ImageError: an image of another shape, type or range.
    """
    labels = _checked(labels)
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    (top, bottom), (left, right) = _extent(index), _extent(index.T)
    table = {
        "label": ids,
        "area": np.bincount(index.ravel()),
        "centroid": region_means(index.ravel(), np.indices(labels.shape).reshape(2, -1).T),
        "bbox": np.stack([top, left, bottom + 1, right + 1], 1),
    }
    if image is not None:
        table["mean_colour"] = region_means(index.ravel(), _matching(image, labels).reshape(-1, 3))
    return table


def adjacency(labels: Labels) -> NDArray[np.integer[Any]]:
    """Edge list (E, 2) of labels that share a side of a pixel: smaller label first, rows unique and sorted.

    Raises:
        UsageError: the labels are no such array, or empty.
    """
    labels = _checked(labels)
    pairs = np.concatenate([
        np.stack([labels[1:].ravel(), labels[:-1].ravel()], 1),
        np.stack([labels[:, 1:].ravel(), labels[:, :-1].ravel()], 1),
    ])  # fmt: skip
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.unique(np.sort(pairs, 1), axis=0)


def _checked(labels: Labels) -> Labels:
    labels = checked_array("labels", labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or labels.size == 0:
        raise UsageError(f"labels must be a non-empty (H, W) array of integers, not {labels.dtype} of shape {labels.shape}")
    return labels


def _matching(image: Any, labels: Labels) -> NDArray[np.uint8]:
    picture = as_rgb(image)
    if picture.shape[:2] != labels.shape:
        raise UsageError(f"image of {picture.shape[0]}x{picture.shape[1]} and labels of {labels.shape[0]}x{labels.shape[1]} differ in size")
    return picture


def _extent(index: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last row of each of the regions 0..K-1 in `index` (H, W): of repeated assignments the last one stays."""
    rows = np.repeat(np.arange(index.shape[0]), index.shape[1])
    flat = index.reshape(-1)
    count = int(flat.max()) + 1
    first, last = np.empty(count, np.intp), np.empty(count, np.intp)
    first[flat[::-1]] = rows[::-1]
    last[flat] = rows
    return first, last
