"""The kernels of native/device and what they need: arguments, tables, scratch memory, order.

The functions here say which kernels run over which memory; a `Launch` runs them, on a GPU (`gpu.py`) or on the host.
Addresses are those of C-contiguous arrays, N images each, in the memory of that device.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.runtime.resampling import Taps
from ainet.spec import CELL_SIZE

Launch = Callable[[str, ctypes.Structure, int, int], None]  # kernel, arguments, indices for each image, images
Shape = tuple[int, int, int]  # images, height, width

INDEX_PIXELS = {"connect_flatten": 4, "connect_cut": 128}  # pixels that one index computes; all other kernels compute one
TEAMS = frozenset(["connect_cut"])  # kernels that a warp runs for each index


class _Resize(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("images", "out", "values")),
        *((name, ctypes.c_void_p) for name in ("row_first", "row_weights", "column_first", "column_weights")),
        *((name, ctypes.c_int32) for name in ("height", "width", "out_height", "out_width", "row_taps", "column_taps")),
    ]


class _Assign(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("scores", "out")),
        *((name, ctypes.c_float) for name in ("row_step", "column_step")),
        *((name, ctypes.c_int32) for name in ("h", "w", "height", "width", "public_rules", "interpolates", "logits")),
    ]


class _Connectivity(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("labels", "out", "scratch")),
        *((name, ctypes.c_int64) for name in ("scratch_size", "min_size", "max_size")),
        *((name, ctypes.c_int32) for name in ("height", "width")),
    ]


@dataclass(frozen=True)
class ResizeTables:
    """Addresses of the arrays of `runtime.resampling.Taps`, of rows and of columns, and how many taps these have."""

    row_first: int
    row_weights: int
    column_first: int
    column_weights: int
    row_taps: int
    column_taps: int

    @classmethod
    def of(cls, tables: tuple[Taps, Taps], upload: Callable[[NDArray[Any]], int]) -> "ResizeTables":
        """upload: copies an array to the GPU and gives its address."""
        rows, columns = tables
        return cls(
            upload(rows.first),
            upload(rows.weights),
            upload(columns.first),
            upload(columns.weights),
            rows.weights.shape[1],
            columns.weights.shape[1],
        )


def value_table(mean: Sequence[float], dtype: str) -> NDArray[np.floating[Any]]:
    """(3, 256): what each byte of R, G and B becomes, in "float32" or "float16"; the same as `postprocess.network_planes` gives."""
    return (np.arange(256, dtype=np.float32) / np.float32(255) - np.asarray(mean, np.float32)[:, None]).astype(dtype)


def resize(
    launch: Launch, images: int, shape: Shape, out: int, size: tuple[int, int], dtype: str, tables: ResizeTables, values: int = 0
) -> None:
    """RGB uint8 (N, H, W, 3) -> the input of a network.

    shape: of `images`, without channels. size: height and width of `out`. dtype: "uint8" gives (N, h, w, 3), "float32"
    and "float16" give normalised planes (N, 3, h, w). values: of `value_table`, in that type.
    """
    kernel = {"uint8": "resize_to_bytes", "float32": "resize_to_floats", "float16": "resize_to_halves"}[dtype]
    addresses = (tables.row_first, tables.row_weights, tables.column_first, tables.column_weights)
    taps = (tables.row_taps, tables.column_taps)
    launch(kernel, _Resize(images, out, values, *addresses, *shape[1:], *size, *taps), size[0] * size[1], shape[0])


def assign(
    launch: Launch,
    output: int,
    dtype: str,
    shape: Shape,
    out: int,
    size: tuple[int, int],
    public: bool = False,
    *,
    interpolates: bool = False,
    logits: bool = True,
) -> None:
    """The output of a network -> cell ids (N, height, width) int32, as `postprocess.assign` and `resize_nearest`.

    dtype: "float32" or "float16" for scores (N, 9, h, w), "int32" for ids (N, h, w). shape: (N, h, w). size: of `out`.
    interpolates: smoothing 1.
    """
    kernel = {"float32": "assign_floats", "float16": "assign_halves", "int32": "resize_ids"}[dtype]
    images, h, w = shape
    if dtype != "int32" and (h % CELL_SIZE or w % CELL_SIZE):
        raise ValueError(f"scores of {h}x{w} pixels: not multiples of {CELL_SIZE}")
    height, width = size
    rules = (public, interpolates, logits)
    launch(kernel, _Assign(output, out, h / height, w / width, h, w, height, width, *rules), height * width, images)


def scratch_size(height: int, width: int) -> int:
    """How many int32 `enforce_connectivity` needs for each image."""
    pixels = height * width
    return 4 * pixels + 1 + sum(((pixels - 1) >> shift) + 1 for shift in range(5, 31, 5))


def enforce_connectivity(launch: Launch, labels: int, out: int, shape: Shape, scratch: int, min_size: int, max_size: int) -> None:
    """Labels (N, H, W) int32 -> int32 of the same shape, as `postprocess.enforce_connectivity`; `out` is other memory.

    scratch: N times `scratch_size` int32, which need no initial values.
    """
    images, height, width = shape
    pixels = height * width
    arguments = _Connectivity(labels, out, scratch, scratch_size(height, width), min_size, max_size, height, width)
    for step in ("start", "unite", "flatten", "cut", "adopt", "number", "fill"):
        kernel = f"connect_{step}"
        launch(kernel, arguments, -(-pixels // INDEX_PIXELS.get(kernel, 1)), images)
