"""Native pre- and post-processing: bytes to network input, network output to superpixel labels.

    x = network_planes(images, resize_tables(321, 481, 320, 480), MEAN)     # (N, H, W, 3) uint8 -> (N, 3, h, w) float32
    labels = postprocess(network(x), 321, 481, 15, 772, smoothing=1)        # (N, 9, h, w) -> (N, 321, 481) int32

`postprocess` is `assign` (the best of the nine cells around each pixel, at the size of the image) followed by
`enforce_connectivity`. All functions release the interpreter, spread a batch and the rows of each image over threads, with equal
results for any number of them, and may be called from several threads at once. `threads`: how many of the CPU, 0 for all.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ainet.arguments import checked_integer
from ainet.arrays import checked_array
from ainet.errors import UsageError, short
from ainet.runtime import _native
from ainet.runtime.quarters import as_planes, in_quarters
from ainet.runtime.resampling import Taps
from ainet.spec import CELL_SIZE, NEIGHBOURS

Window: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


def enforce_connectivity(labels: ArrayLike, min_size: int, max_size: int) -> NDArray[np.int32]:
    """Makes superpixels connected: small components join a neighbour, large ones are cut.

    Pixel by pixel in raster order, a component grows breadth first over the 4-connected pixels of its label until it
    is complete or has `max_size` pixels. One with fewer than `min_size` pixels takes the label of the labelled pixel
    that its growth looked at last (0 if there was none); any other takes the next free label. With `max_size` >=
    `min_size` every resulting label is 4-connected.

    Args:
        labels: (H, W) or (N, H, W), any integer type, any values.
        min_size: smallest component to keep, in pixels; 1 or less keeps all.
        max_size: largest component, in pixels, at least 1. It may be below `min_size`; then components of `max_size`
            pixels count as too small.

    Returns:
        Array of the shape of `labels`: 0..K-1 in order of first appearance, for every image anew.

    Raises:
        UsageError: if `labels` is not such an array, or a size is not such an integer.

    Source: the public code of SSN, SCN and AINet, whose result this equals label for label.
    """
    array = checked_array("labels", labels)
    if array.ndim not in (2, 3):
        raise UsageError(f"labels must have the shape (H, W) or (N, H, W), not {array.shape}")
    if array.dtype.kind not in "iu":  # numpy counts time spans among the integers
        raise UsageError(f"labels must be integers, not {array.dtype}; convert them first, e.g. with .astype(numpy.int32)")
    _check_filled("labels", array)
    _check_pixels("labels", *array.shape[-2:])
    min_size, max_size = _checked_sizes(min_size, max_size)
    unsigned = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view(f"u{array.itemsize}")  # only equality matters
    batch = unsigned.reshape(-1, *array.shape[-2:])
    return _native.enforce_connectivity(batch, min_size, max_size).reshape(array.shape)


def assign(
    scores: ArrayLike, height: int, width: int, public: bool = False, *, smoothing: int = 0, logits: bool = True, threads: int = 0
) -> NDArray[np.int32]:
    """Ids of the best cell of every pixel, at the size `height` x `width`.

    Cells of 16 x 16 pixels are numbered row by row. A neighbour outside the grid stands for the nearest cell inside. Of equal
    scores the first wins.

    Args:
        scores: (N, 9, h, w) float32 or float16 (others are converted to float32), h and w multiples of 16: association
            or logits of the nine cells around the pixel's own, in raster order; or these in quarters, see `ainet.runtime.quarters`.
            A pixel with NaN gets some valid id.
        height, width: size of the result, in pixels.
        public: as the public AINet and SCN code has it, without smoothing: the ids of all that reach the maximum are added. And
            the resize is OpenCV's, without the 1/2, which shifts the superpixels by up to half a pixel against the image.
        smoothing: 0: the id of the nearest pixel; output j takes the source under its centre,
            `floor(float32(j + 1/2) * float32(from / to))`. 1: where the four pixels around the centre lie in several cells, their
            association is interpolated and the best cell is taken. 4: so is the mean association of blocks of 4 x 4 pixels.
        logits: what the scores are, which matters to smoothing alone.

    Returns:
        (N, height, width) cell ids, 0 .. h/16 * w/16 - 1 (larger where ids were added).

    Raises:
        UsageError: if `scores` is not such an array, or the size is not one of 1 or more pixels.
    """
    height, width = _checked_size(height, width)
    return _native.cell_ids(_checked_scores(scores, smoothing), height, width, bool(public), smoothing, logits, threads)


def assign_part(
    scores: ArrayLike,
    part: tuple[int, int],
    working: tuple[int, int],
    window: Window,
    out: NDArray[np.int32],
    *,
    smoothing: int,
    logits: bool,
    threads: int = 0,
) -> None:
    """`assign` with smoothing, from a part of the working image: writes the ids of a window of the whole.

    Args:
        scores: (1, 9, h, w), or in quarters, of the pixels from row and column `part` on, multiples of 16; a block more than the window
            on every side.
        working: height and width of the whole working image.
        window: (rows, columns) of `out`, each (start, end), that are written.
        out: (height, width) int32, the ids of the whole image.

    Raises:
        UsageError: if `scores` is not such an array.
        ValueError: part or window are not inside, or there is no smoothing. That the part holds what the window needs is not checked.
    """
    (top, bottom), (left, right) = window
    checked = _checked_scores(scores, smoothing)
    _native.cell_ids_of_part(checked, *part, *working, smoothing, logits, top, bottom, left, right, threads, out)


def resize_nearest(ids: ArrayLike, height: int, width: int, public: bool = False) -> NDArray[np.int32]:
    """The resize of `assign` without smoothing: (N, h, w) int32 cell ids -> (N, height, width).

    Raises:
        UsageError: if `ids` is not such an array, or the size is not one of 1 or more pixels.
    """
    return _native.cell_ids(_checked_ids(np.asarray(ids)), *_checked_size(height, width), bool(public), 0, False, 0)


def postprocess(
    output: ArrayLike,
    height: int,
    width: int,
    min_size: int,
    max_size: int,
    public: bool = False,
    *,
    smoothing: int = 0,
    logits: bool = True,
    threads: int = 0,
) -> NDArray[np.int32]:
    """Superpixels from the output of a network: `assign` (or `resize_nearest`), then `enforce_connectivity`.

    Args:
        output: scores (N, 9, h, w) as `assign` takes them, or cell ids (N, h, w) int32, which cannot be smoothed.
        height, width: size of the result, in pixels.
        min_size, max_size: bounds of a superpixel, in pixels of the result; see `enforce_connectivity`.
        public, smoothing, logits: see `assign`.

    Returns:
        (N, height, width) labels, 0..K-1 in every image.

    Raises:
        UsageError: as the functions it consists of.
    """
    array = np.asarray(output)
    if array.shape == (1, height, width):  # cell ids, as they come from tiles: there is nothing to resize
        return enforce_connectivity(_checked_ids(array), min_size, max_size)
    checked = _checked_ids(array) if array.ndim == 3 else _checked_scores(array, smoothing)
    sizes = (*_checked_size(height, width), *_checked_sizes(min_size, max_size))
    return _native.output_to_labels(checked, *sizes, bool(public), smoothing, logits, threads)


def resize(images: ArrayLike, tables: tuple[Taps, Taps], threads: int = 0) -> NDArray[np.uint8]:
    """RGB images (N, H, W, 3) uint8 -> (N, h, w, 3), by the tables of rows and of columns.

    Raises:
        UsageError: if `images` is not such an array.
    """
    rows, columns = tables
    return _native.resample(_checked_images(images), rows.first, rows.weights, columns.first, columns.weights, threads)


def network_planes(images: ArrayLike, tables: tuple[Taps, Taps], mean: Sequence[float], threads: int = 0) -> NDArray[np.float32]:
    """`resize` to planes, of which each value is `value / 255 - mean` in single precision: (N, H, W, 3) uint8 -> (N, 3, h, w).

    mean: of R, G and B, for values in [0, 1].

    Raises:
        UsageError: if `images` or `mean` is not such an array.
    """
    rows, columns = tables
    means = _checked_mean(mean)
    return _native.resample_to_planes(_checked_images(images), rows.first, rows.weights, columns.first, columns.weights, means, threads)


def _checked_images(images: ArrayLike) -> NDArray[np.uint8]:
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[3] != 3 or array.dtype != np.uint8:
        raise UsageError(f"images must be uint8 of the shape (N, H, W, 3), not {array.dtype} {array.shape}")
    _check_filled("images", array)
    return np.ascontiguousarray(array)


def _checked_mean(mean: Sequence[float]) -> NDArray[np.float32]:
    means = np.asarray(mean, dtype=np.float32)
    if means.shape != (3,):
        raise UsageError(f"mean must have three values, for R, G and B, not {short(mean)}")
    return means


def _checked_scores(scores: ArrayLike, smoothing: int) -> NDArray[np.float32] | NDArray[np.uint16]:
    array = np.asarray(scores)
    if smoothing != 1:  # which alone reads quarters
        array = as_planes(array)
    if not (in_quarters(array) or (array.ndim == 4 and array.shape[1] == NEIGHBOURS)) or not np.issubdtype(array.dtype, np.floating):
        raise UsageError(f"scores must be floating point of the shape (N, 9, h, w), not {array.dtype} {array.shape}")
    _check_filled("scores", array)
    h, w = np.multiply(array.shape[2:], 2 if in_quarters(array) else 1).tolist()
    if h % CELL_SIZE or w % CELL_SIZE:
        raise UsageError(f"scores must have a height and width that are multiples of {CELL_SIZE}, not {h}x{w}")
    _check_pixels("scores", h, w)
    if array.dtype == np.float16:
        return np.ascontiguousarray(array).view(np.uint16)
    return np.ascontiguousarray(array, dtype=np.float32)


def _checked_ids(array: NDArray[Any]) -> NDArray[np.int32]:
    if array.ndim != 3 or array.dtype != np.int32:
        raise UsageError(f"cell ids must be int32 of the shape (N, h, w), not {array.dtype} {array.shape}")
    _check_filled("cell ids", array)
    _check_pixels("cell ids", *array.shape[1:])
    return np.ascontiguousarray(array)


def _checked_size(height: int, width: int) -> tuple[int, int]:
    height, width = checked_integer("height", height), checked_integer("width", width)
    if height < 1 or width < 1:
        raise UsageError(f"height and width must be at least 1, not {height}x{width}")
    _check_pixels("the result", height, width)
    return height, width


def _checked_sizes(min_size: int, max_size: int) -> tuple[int, int]:
    min_size, max_size = checked_integer("min_size", min_size), checked_integer("max_size", max_size)
    if max_size < 1:
        raise UsageError(f"max_size must be at least 1 pixel, not {max_size}")
    beyond = 2**31  # more than any image has pixels
    return max(0, min(min_size, beyond)), min(max_size, beyond)


def _check_filled(name: str, array: NDArray[Any]) -> None:
    if array.size == 0:
        raise UsageError(f"{name} must not be empty; the shape is {array.shape}")


def _check_pixels(name: str, height: int, width: int) -> None:
    if height * width >= 2**31:
        raise UsageError(f"{name} must have fewer than 2**31 pixels per image, not {height}x{width}; split the image")
