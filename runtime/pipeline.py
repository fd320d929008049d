"""The way of an image, step by step, as its plan says:

    image RGB (H, W, 3)
      -> resize        working image (h, w, 3), bicubic; the mean of what a pixel covers where it shrinks to less than a quarter
      -> normalise     planes (3, h, w), float32
      -> network       scores (9, h, w) of the cells around each pixel
      -> arg-max       cell ids (H, W), of the interpolated association; by the public protocol of the nearest pixel's
      -> connectivity  labels (H, W), 0..K-1

`network_input` takes the first two, `output_to_labels` the last two, each in one call of native code. A model whose output is "labels"
normalises and takes the arg-max itself: the id of a pixel is the nearest one's. A backend on a GPU takes the whole way by itself.

`threads`: of the CPU for the steps around the network, 0 for all cores; labels are the same for any number.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.runtime.backends.base import Backend, LabelBackend, check_output
from ainet.runtime.cuda.arrays import DeviceLabels
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import Plan
from ainet.runtime.postprocess import assign_part, network_planes, postprocess, resize
from ainet.runtime.resampling import Taps, plan_tables
from ainet.spec import CELL_SIZE

HALO = 13 * CELL_SIZE  # a tile's margin: no output depends on pixels farther away (177 is the farthest, in ainet-public)


def run_pipeline(backend: Backend, images: NDArray[np.uint8], plan: Plan, threads: int = 0) -> NDArray[np.int32]:
    """RGB images (N, H, W, 3) of the plan's size -> labels (N, H, W), each 0..K-1 in order of first appearance.

    Raises:
        UsageError: the working image does not fit into memory.
    """
    if isinstance(backend, LabelBackend) and not plan.in_tiles and not plan.compact:
        return backend.labels(images, plan)
    try:
        labels = []
        for start in range(0, len(images), plan.chunk_size):
            output = network_output(backend, images[start : start + plan.chunk_size], plan, threads)
            labels.append(output_to_labels(output, plan, backend.info, threads))
        return labels[0] if len(labels) == 1 else np.concatenate(labels)
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
    if plan.compact:
        raise UsageError("compact=True is computed on the host alone; copy the image there")
    return backend.device_labels(images, plan)


def network_output(backend: Backend, images: NDArray[np.uint8], plan: Plan, threads: int = 0) -> NDArray[Any]:
    """Images (N, H, W, 3) -> what `output_to_labels` takes: scores (N, 9, h, w), or cell ids (N, h, w) or, from tiles, (N, H, W)."""
    if plan.in_tiles:
        return np.stack([ids_from_tiles(backend, image, plan, threads) for image in images])
    return infer(backend, network_input(images, plan, backend.info, threads))


def output_to_labels(output: NDArray[Any], plan: Plan, info: ModelInfo, threads: int = 0) -> NDArray[np.int32]:
    """What `network_output` gives of the plan -> labels (N, H, W); `info`: of the model."""
    sizes = (plan.height, plan.width, plan.min_size, plan.max_size)
    return postprocess(output, *sizes, plan.public, smoothing=plan.smoothing, logits=info.output == "logits", threads=threads)


def network_input(images: NDArray[np.uint8], plan: Plan, info: ModelInfo, threads: int = 0) -> NDArray[Any]:
    """Images of the plan's size, RGB (N, H, W, 3) -> what a model that `info` describes takes: see `Backend.run`."""
    return _resampled(images, plan_tables(plan), info, threads)


def infer(backend: Backend, image: NDArray[Any]) -> NDArray[Any]:
    """What `network_input` gives -> the model's scores (N, 9, h, w) or cell ids (N, h, w)."""
    output = backend.run(image)
    check_output(output, image, backend)
    return output


def ids_from_tiles(backend: Backend, image: NDArray[np.uint8], plan: Plan, threads: int = 0) -> NDArray[np.int32]:
    """Image (H, W, 3) -> cell ids of the whole grid, (H, W), or (h, w) from a model whose output is "labels".

    The network sees tiles of at most `plan.limit` working pixels, margins included. The ids are those of one run.
    """
    height, width = plan.working_height, plan.working_width
    info, columns = backend.info, width // CELL_SIZE
    row_taps, column_taps = plan_tables(plan)
    ids = np.empty((height, width) if info.output == "labels" else (plan.height, plan.width), np.int32)
    step = int(plan.limit**0.5) // CELL_SIZE * CELL_SIZE - 2 * HALO  # height and width of what a tile contributes
    for top, bottom, outer_top, outer_bottom in _spans(height, step):
        for left, right, outer_left, outer_right in _spans(width, step):
            tables = row_taps.part(outer_top, outer_bottom), column_taps.part(outer_left, outer_right)
            result = infer(backend, _resampled(image[None], tables, info, threads))
            if result.ndim == 3:
                local = result[0, top - outer_top : bottom - outer_top, left - outer_left : right - outer_left]
                row, column = np.divmod(local, (outer_right - outer_left) // CELL_SIZE)  # in the tile's grid
                ids[top:bottom, left:right] = (row + outer_top // CELL_SIZE) * columns + column + outer_left // CELL_SIZE
            else:
                window = tuple(
                    (start * target // source, end * target // source)
                    for start, end, source, target in ((top, bottom, height, plan.height), (left, right, width, plan.width))
                )
                logits = info.output == "logits"
                assign_part(result, (outer_top, outer_left), (height, width), window, ids, smoothing=plan.smoothing, logits=logits)
    return ids


def _resampled(images: NDArray[np.uint8], tables: tuple[Taps, Taps], info: ModelInfo, threads: int) -> NDArray[Any]:
    return resize(images, tables, threads) if info.output == "labels" else network_planes(images, tables, info.mean, threads)


def _spans(size: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut `size` into spans (start, end) with their margins (outer start, outer end), all multiples of the cell size."""
    for start in range(0, size, step):
        end = min(start + step, size)
        yield start, end, max(0, start - HALO), min(size, end + HALO)
