"""The way of an image, step by step, as its plan says:

    image RGB (H, W, 3)
      -> resize        working image (h, w, 3), bicubic; the mean of what a pixel covers where it shrinks to less than half
      -> normalise     planes (3, h, w), float32
      -> network       scores (9, h, w) of the cells around each pixel, which may lie in quarters: see `ainet.runtime.quarters`
      -> arg-max       cell ids (H, W), of the interpolated association; by the public protocol of the nearest pixel's
      -> connectivity  labels (H, W), 0..K-1

`network_input` takes the first two, `output_to_labels` the last two, each in one call of native code. A model whose output is "labels"
normalises and takes the arg-max itself: the id of a pixel is the nearest one's. A backend on a GPU takes the whole way by itself.

`threads`: of the CPU for the steps around the network, 0 for all cores; labels are the same for any number.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.runtime.backends.base import Backend, LabelBackend, MergingBackend, check_map, check_output
from ainet.runtime.cuda.arrays import DeviceLabels
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import Plan
from ainet.runtime.postprocess import assign_part, network_planes, postprocess, resize
from ainet.runtime.resampling import Taps, plan_tables
from ainet.runtime.tiles import Tile, tiles
from ainet.spec import CELL_SIZE


def run_pipeline(backend: Backend, images: NDArray[np.uint8], plan: Plan, threads: int = 0) -> NDArray[np.int32]:
    """RGB images (N, H, W, 3) of the plan's size -> labels (N, H, W), each 0..K-1 in order of first appearance.

    Raises:
        UsageError: the working image does not fit into memory.
    """
    if isinstance(backend, LabelBackend) and not plan.in_tiles and not plan.compact:
        return backend.labels(images, plan)
    with in_memory(plan):
        labels = []
        for start in range(0, len(images), plan.chunk_size):
            output = network_output(backend, images[start : start + plan.chunk_size], plan, threads)
            labels.append(output_to_labels(output, plan, backend.info, threads))
        return labels[0] if len(labels) == 1 else np.concatenate(labels)


@contextmanager
def in_memory(plan: Plan) -> Iterator[None]:
    """Run the steps of a plan; raise `UsageError` where its working image does not fit into memory."""
    try:
        yield
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
        return ids_from_tiles(backend, images[0], plan, threads)[None]  # chunks are of one image then
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


def infer_with_map(backend: MergingBackend, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The same, and the border map (N, h/2, w/2, C)."""
    output, border_map = backend.run_with_map(image)
    check_output(output, image, backend)
    check_map(border_map, image, backend)
    return output, border_map


def ids_from_tiles(backend: Backend, image: NDArray[np.uint8], plan: Plan, threads: int = 0) -> NDArray[np.int32]:
    """Image (H, W, 3) -> cell ids of the whole grid, (H, W), or (h, w) from a model whose output is "labels"."""
    height, width = plan.working_height, plan.working_width
    info = backend.info
    ids = np.empty((height, width) if info.output == "labels" else (plan.height, plan.width), np.int32)
    for tile in tiles(plan, info.network):
        rows, columns = tile.outer
        result = infer(backend, tile_input(image, plan, tile, info, threads))
        if result.ndim == 3:
            row, column = np.divmod(result[0, *tile.within], (columns.stop - columns.start) // CELL_SIZE)  # in the tile's grid
            row, column = row + rows.start // CELL_SIZE, column + columns.start // CELL_SIZE  # in the whole grid
            ids[tile.inner] = row * (width // CELL_SIZE) + column
        else:
            assign_part(
                result,
                (rows.start, columns.start),
                (height, width),
                (_targets(tile.inner[0], height, plan.height), _targets(tile.inner[1], width, plan.width)),
                ids,
                smoothing=plan.smoothing,
                logits=info.output == "logits",
                threads=threads,
            )
    return ids


def tile_input(image: NDArray[np.uint8], plan: Plan, tile: Tile, info: ModelInfo, threads: int = 0) -> NDArray[Any]:
    """`network_input` of one image (H, W, 3), of the tile alone."""
    (rows, columns), (row_taps, column_taps) = tile.outer, plan_tables(plan)
    return _resampled(image[None], (row_taps.part(rows), column_taps.part(columns)), info, threads)


def _resampled(images: NDArray[np.uint8], tables: tuple[Taps, Taps], info: ModelInfo, threads: int) -> NDArray[Any]:
    return resize(images, tables, threads) if info.output == "labels" else network_planes(images, tables, info.mean, threads)


def _targets(span: slice, source: int, target: int) -> tuple[int, int]:
    """The pixels of the image that belong to a span of the working image."""
    return span.start * target // source, span.stop * target // source
