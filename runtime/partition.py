"""Which parts of an image regions must keep to: masks, given borders, and regions that are cut where there are too few."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.arrays import check_size_of, checked_array, checked_mask
from ainet.errors import UsageError
from ainet.runtime.postprocess import enforce_connectivity


def parts_of(image: NDArray[np.uint8], mask: Any = None, within: Any = None) -> NDArray[np.int32] | None:
    """(H, W) int32: which pixels may share a region, -1 outside the mask; None where neither a mask nor borders are given.

    mask: (H, W) bool. within: (H, W) integers, a label map whose borders no region crosses.

    Raises:
        UsageError: a mask or label map of another type or size than the image's, or a mask without a pixel.
    """
    if mask is None and within is None:
        return None
    parts = np.zeros(image.shape[:2], np.int32)
    if within is not None:
        borders = checked_array("within", within)
        if borders.dtype.kind not in "iu":
            raise UsageError(f"within must be an array of integers, not of {borders.dtype}")
        check_size_of("within", borders, image.shape[:2])
        parts = np.unique(borders, return_inverse=True)[1].reshape(borders.shape).astype(np.int32)
    if mask is not None:
        parts[~checked_mask(mask, image.shape[:2])] = -1
    return parts


def connected_parts(labels: NDArray[np.int32], parts: NDArray[np.int32], max_size: int = 2**31) -> NDArray[np.int32]:
    """Labels (H, W) cut along the borders of `parts`: 0..K-1 in raster order of first appearance, each 4-connected; -1 where parts are.

    max_size: pixels of the largest region; larger ones are cut.
    """
    both = labels.astype(np.int64) * (int(parts.max()) + 2) + parts
    regions = enforce_connectivity(both, 1, max_size)
    outside = parts < 0
    if not outside.any():
        return regions
    inside_ids = np.zeros(int(regions.max()) + 1, bool)
    inside_ids[regions[~outside]] = True
    names = np.cumsum(inside_ids, dtype=np.int32) - 1
    return np.where(outside, np.int32(-1), names[regions])


def cut_to_count(labels: NDArray[np.int32], at_least: int) -> NDArray[np.int32]:
    """Regions 0..K-1, or -1 outside, of which the large ones are cut until there are `at_least`.

    Raises:
        UsageError: there are fewer pixels than that.
    """
    if int(labels.max()) + 1 >= at_least:
        return labels
    inside = labels >= 0
    pixels = int(inside.sum())
    if pixels < at_least:
        raise UsageError(f"n_segments={at_least} is out of range: choose at most {pixels}, the number of pixels")
    size = int(np.bincount(labels[inside]).max())
    while int(labels.max()) + 1 < at_least:
        size = (size + 1) // 2
        labels = connected_parts(labels, np.where(inside, 0, -1).astype(np.int32), size)
    return labels
