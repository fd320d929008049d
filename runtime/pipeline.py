"""The way of an image: resize, normalise, network, arg-max, resize back, connectivity."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.runtime.backends.base import Backend, LabelBackend, check_output
from ainet.runtime.cuda.arrays import DeviceLabels
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import Plan
from ainet.runtime.postprocess import assign, normalise, postprocess
from ainet.spec import CELL_SIZE

MAX_PIXELS = 2**22  # working pixels that go through the network at once; about 1.5 GB of activations
HALO = 13 * CELL_SIZE  # a tile's margin: no output depends on pixels farther away (177 is the farthest, in ainet-public)


def run_pipeline(backend: Backend, images: NDArray[np.uint8], plan: Plan) -> NDArray[np.int32]:
    """RGB images (N, H, W, 3) of the plan's size -> labels (N, H, W), each 0..K-1 in order of first appearance.

    Working sizes above `MAX_PIXELS` run in overlapping tiles, with the same result.

    Raises:
        UsageError: the working image does not fit into memory.
    """
    try:
        return _run(backend, images, plan)
    except (cv2.error, MemoryError) as error:
        size = f"{plan.working_height}x{plan.working_width}"
        raise UsageError(f"{plan.cells} superpixels need a working image of {size}, too large for this machine; ask for fewer") from error


def run_on_device(backend: Backend, images: Any, plan: Plan) -> DeviceLabels:
    """Images in GPU memory, RGB uint8 (N, H, W, 3) or (H, W, 3) of the plan's size -> labels there, (N, H, W) or (H, W).

    Raises:
        UsageError: the backend does not read GPU memory, the images are no such array, or the working size is above `MAX_PIXELS`.
    """
    if not isinstance(backend, LabelBackend):
        raise UsageError(
            f"the image is on a GPU, which {backend.name} does not read; copy it to the host, or choose device tensorrt or cuda"
        )
    if plan.working_height * plan.working_width > MAX_PIXELS:
        size = f"{plan.working_height}x{plan.working_width}"
        raise UsageError(
            f"{plan.cells} superpixels need a working image of {size}, which runs in tiles, from host memory alone; "
            "copy the image to the host, or ask for fewer"
        )
    return backend.device_labels(images, plan)


def _run(backend: Backend, images: NDArray[np.uint8], plan: Plan) -> NDArray[np.int32]:
    size = (plan.height, plan.width, plan.min_size, plan.max_size)
    area = plan.working_height * plan.working_width
    if isinstance(backend, LabelBackend) and area <= MAX_PIXELS:
        return backend.labels(images, plan)
    batch = max(1, MAX_PIXELS // area)
    chunks = [images[start : start + batch] for start in range(0, len(images), batch)]
    return np.concatenate([postprocess(network_output(backend, chunk, plan), *size, public=plan.public) for chunk in chunks])


def network_output(backend: Backend, images: NDArray[np.uint8], plan: Plan) -> NDArray[Any]:
    """The way of images up to the network's output, as `postprocess` takes it: scores (N, 9, h, w), or cell ids (N, h, w)."""
    working = [resize(image, plan) for image in images]
    if plan.working_height * plan.working_width > MAX_PIXELS:
        return np.concatenate([_tiled_ids(backend, image) for image in working])
    return infer(backend, np.stack(working))


def resize(image: NDArray[np.uint8], plan: Plan) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of the plan's size -> working image (h, w, 3), bicubic."""
    return cv2.resize(image, (plan.working_width, plan.working_height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def infer(backend: Backend, images: NDArray[np.uint8]) -> NDArray[Any]:
    """Working images, RGB (N, h, w, 3) -> the model's scores (N, 9, h, w) or cell ids (N, h, w)."""
    image = network_input(images, backend.info)
    output = backend.run(image)
    check_output(output, image, backend)
    return output


def network_input(images: NDArray[np.uint8], info: ModelInfo) -> NDArray[Any]:
    """Working images, RGB (N, h, w, 3) -> what a model that `info` describes takes: see `Backend.run`."""
    return images if info.output == "labels" else normalise(images, info.mean)


def _tiled_ids(backend: Backend, image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """RGB (h, w, 3) -> cell ids (1, h, w) of the whole grid, tile by tile."""
    height, width = image.shape[:2]
    columns = width // CELL_SIZE
    ids = np.empty((1, height, width), np.int32)
    for top, bottom, outer_top, outer_bottom in _spans(height):
        for left, right, outer_left, outer_right in _spans(width):
            result = infer(backend, np.ascontiguousarray(image[None, outer_top:outer_bottom, outer_left:outer_right]))
            local = result if result.ndim == 3 else assign(result, *result.shape[2:])
            local = local[0, top - outer_top : bottom - outer_top, left - outer_left : right - outer_left]
            row, column = np.divmod(local, (outer_right - outer_left) // CELL_SIZE)  # in the tile's grid
            ids[0, top:bottom, left:right] = (row + outer_top // CELL_SIZE) * columns + column + outer_left // CELL_SIZE
    return ids


def _spans(size: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut `size` into spans (start, end) with their margins (outer start, outer end), all multiples of the cell size."""
    side = int(MAX_PIXELS**0.5) // CELL_SIZE * CELL_SIZE - 2 * HALO
    for start in range(0, size, side):
        end = min(start + side, size)
        yield start, end, max(0, start - HALO), min(size, end + HALO)
