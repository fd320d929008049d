"""The way of an image, step by step, as its plan says:

    image RGB (H, W, 3)
      -> resize        working image (h, w, 3), bicubic
      -> normalise     planes (3, h, w), float32
      -> network       scores (9, h, w) of the cells around each pixel
      -> arg-max       cell ids (h, w)
      -> back          cell ids (H, W), of the nearest pixel
      -> connectivity  labels (H, W), 0..K-1

`network_output` takes the first three, `postprocess`, in native code, the last three. A model whose output is "labels" normalises and takes
the arg-max itself. A backend on a GPU takes the whole way by itself.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import ImageError, UsageError
from ainet.runtime.backends.base import Backend, LabelBackend, MergingBackend, check_map, check_output
from ainet.runtime.cuda.arrays import DeviceLabels
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import Plan
from ainet.runtime.postprocess import assign, normalise, postprocess
from ainet.spec import CELL_SIZE

HALO = 13 * CELL_SIZE  # a tile's margin: no output depends on pixels farther away (177 is the farthest, in ainet-public)


def run_pipeline(backend: Backend, images: NDArray[np.uint8], plan: Plan) -> NDArray[np.int32]:
    """RGB images (N, H, W, 3) of the plan's size -> labels (N, H, W), each 0..K-1 in order of first appearance.

    Raises:
        UsageError: the working image does not fit into memory.
        ImageError: OpenCV cannot resize the image.
    """
    if isinstance(backend, LabelBackend) and not plan.in_tiles:
        return backend.labels(images, plan)
    try:
        labels = []
        for start in range(0, len(images), plan.chunk_size):
            output = network_output(backend, images[start : start + plan.chunk_size], plan)
            labels.append(postprocess(output, plan.height, plan.width, plan.min_size, plan.max_size, plan.public))
        return np.concatenate(labels)
    except MemoryError as error:
        size = f"{plan.working_height}x{plan.working_width}"
        raise UsageError(f"{plan.cells} superpixels need a working image of {size}, too large for this machine; ask for fewer") from error


def run_on_device(backend: Backend, images: Any, plan: Plan) -> DeviceLabels:
    """Images in GPU memory, RGB uint8 (N, H, W, 3) or (H, W, 3) of the plan's size -> labels there, (N, H, W) or (H, W).

    Raises:
        UsageError: the backend does not read GPU memory, the images are no such array, or the working size is above the plan's limit.
    """
    if not isinstance(backend, LabelBackend):
        raise UsageError(
            f"the image is on a GPU, which {backend.name} does not read; copy it to the host, or choose device tensorrt or cuda"
        )
    if plan.in_tiles:
        size = f"{plan.working_height}x{plan.working_width}"
        raise UsageError(
            f"{plan.cells} superpixels need a working image of {size}, which runs in tiles, from host memory alone; "
            "copy the image to the host, or ask for fewer"
        )
    return backend.device_labels(images, plan)


def network_output(backend: Backend, images: NDArray[np.uint8], plan: Plan) -> NDArray[Any]:
    """Images (N, H, W, 3) -> what `postprocess` takes: scores (N, 9, h, w), or cell ids (N, h, w)."""
    working = [resize(image, plan) for image in images]
    if plan.in_tiles:
        return np.concatenate([ids_from_tiles(backend, image, plan.limit) for image in working])
    return infer(backend, np.stack(working))


def resize(image: NDArray[np.uint8], plan: Plan) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of the plan's size -> working image (h, w, 3), bicubic.

    Raises:
        MemoryError, ImageError: as OpenCV says.
    """
    try:
        return cv2.resize(image, (plan.working_width, plan.working_height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(error.err) from error
        sizes = f"{plan.height}x{plan.width} to {plan.working_height}x{plan.working_width}"
        raise ImageError(f"OpenCV cannot resize an image of {sizes}: {error.err}; use another size") from error


def infer(backend: Backend, images: NDArray[np.uint8]) -> NDArray[Any]:
    """Working images, RGB (N, h, w, 3) -> the model's scores (N, 9, h, w) or cell ids (N, h, w)."""
    image = network_input(images, backend.info)
    output = backend.run(image)
    check_output(output, image, backend)
    return output


def infer_with_map(backend: MergingBackend, images: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The same, and the border map (N, h/2, w/2, C)."""
    image = network_input(images, backend.info)
    output, border_map = backend.run_with_map(image)
    check_output(output, image, backend)
    check_map(border_map, images, backend)
    return output, border_map


def network_input(images: NDArray[np.uint8], info: ModelInfo) -> NDArray[Any]:
    """Working images, RGB (N, h, w, 3) -> what a model that `info` describes takes: see `Backend.run`."""
    return images if info.output == "labels" else normalise(images, info.mean)


def ids_from_tiles(backend: Backend, image: NDArray[np.uint8], limit: int) -> NDArray[np.int32]:
    """Working image (h, w, 3) -> cell ids (1, h, w) of the whole grid, from tiles of at most `limit` pixels, margins included."""
    height, width = image.shape[:2]
    ids = np.empty((1, height, width), np.int32)
    for tile in tiles(height, width, limit):
        result = infer(backend, np.ascontiguousarray(image[None, *tile.outer]))
        local = result if result.ndim == 3 else assign(result, *result.shape[2:])
        rows, columns = tile.outer
        row, column = np.divmod(local[0, *tile.within], (columns.stop - columns.start) // CELL_SIZE)  # in the tile's grid
        row, column = row + rows.start // CELL_SIZE, column + columns.start // CELL_SIZE  # in the whole grid
        ids[0, *tile.inner] = row * (width // CELL_SIZE) + column
    return ids


class Tile(NamedTuple):
    """Rows and columns of the working image, all multiples of the cell size.

    outer: what the network sees. inner: what it is asked for; within: where that lies in `outer`.
    """

    outer: tuple[slice, slice]
    inner: tuple[slice, slice]
    within: tuple[slice, slice]


def tiles(height: int, width: int, limit: int) -> Iterator[Tile]:
    """Tiles of at most `limit` pixels, margins included, whose inner parts cover the working image."""
    step = int(limit**0.5) // CELL_SIZE * CELL_SIZE - 2 * HALO
    for rows in _spans(height, step):
        for columns in _spans(width, step):
            yield Tile(*zip(rows, columns, strict=True))


def _spans(size: int, step: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut `size` into spans: each with its margins, alone, and alone as seen from the start of its margin."""
    for start in range(0, size, step):
        end = min(start + step, size)
        first, last = max(0, start - HALO), min(size, end + HALO)
        yield slice(first, last), slice(start, end), slice(start - first, end - first)
