"""Classic methods: SLIC of scikit-image; SLIC, SLICO, LSC and SEEDS of opencv-contrib; SNIC in native code from its paper
(Achanta and Suesstrunk, CVPR 2017; the package `pysnic` is plain Python, and changes the order of the queue).

Parameters are the best of a sweep on BSDS500 train by mean ASA (`sweep.py`; figures in `benchmarks/results/sweep_*.json`).
All but SNIC, whose superpixels are connected by construction, go through the public protocol's connectivity.
"""

import math
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import _native
from ainet.benchmarks.peers.base import Method, Options
from ainet.benchmarks.peers.peer import Image, Labels, Peer, connect, grid
from ainet.benchmarks.speed.clock import Stages
from ainet.errors import DeviceError, ImageError

ITERATIONS = 10  # of SEEDS: at each block level, twice

PARAMETERS: dict[str, dict[str, Any]] = {
    "slic": {"compactness": 10.0, "sigma": 1.0},
    "slic-cv": {"ruler": 30.0, "blur": True},
    "slico": {"blur": True},
    "lsc": {"ratio": 0.025, "blur": True},
    "seeds": {"colour": "rgb", "prior": 1, "bins": 5},
    "snic": {"compactness": 2.0},
}


def open_method(name: str, options: Options, **changed: Any) -> Method:
    """`changed`: values of parameters in place of those in `PARAMETERS`."""
    parameters = {**PARAMETERS[name], **changed}
    cluster = _CLUSTER[name]
    if cluster in (_slic_cv, _slico, _lsc, _seeds):
        if not hasattr(cv2, "ximgproc"):
            raise DeviceError(f"method '{name}' needs OpenCV's contrib modules: pip install opencv-contrib-python-headless")
        source = {"opencv": cv2.__version__, "iterations": ITERATIONS}
    elif cluster is _slic:
        import skimage.segmentation  # noqa: F401 - says now whether it is there

        source = {"scikit-image": version("scikit-image"), "iterations": ITERATIONS}
    else:
        source = {"ainet": version("ainet-toolkit")}

    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        with stages("assignment"):
            labels = cluster(image, n_segments, **parameters)
        if cluster is _snic:
            return np.asarray(labels, np.int32)
        with stages("connectivity"):
            return connect(labels, n_segments)

    return Peer(name, {**parameters, **source}, segment, threads=options.threads)


def seeds_grid(height: int, width: int, n_segments: int) -> tuple[int, int, int]:
    """What to ask of SEEDS for a number of superpixels as near to `n_segments` as its grids allow.

    SEEDS starts from a grid of equal blocks, each of whole pixels that were doubled (levels - 1) times; what this leaves at
    the right and the bottom goes to the last blocks. So few numbers can be had, and fewer with more levels.

    Returns:
        `num_superpixels` and `num_levels` for the constructor, of equally near ones that with most levels, and the number that comes out.
    """
    best = (math.inf, 0, 0, 0)
    for rows in range(1, math.isqrt(4 * n_segments * height // width) + 9):
        asked = max(10, math.ceil(rows * rows * width / height))
        for levels in range(2, 10):
            count = seeds_count(height, width, asked, levels)
            if count:
                best = min(best, (abs(count - n_segments), -levels, asked, count))
    return best[2], -best[1], best[3]


def seeds_count(height: int, width: int, asked: int, levels: int) -> int:
    """How many superpixels SEEDS makes of `num_superpixels` and `num_levels`; 0 where it would take fewer levels."""
    rows = int(math.sqrt(asked * height / width))
    columns = rows * width // height if rows else 0
    count = 1
    for size, blocks in ((height, rows), (width, columns)):
        block = size / blocks / 2 ** (levels - 1) if blocks else 0  # height or width of the smallest block
        if block < 1:
            return 0
        count *= size // math.ceil(block) >> (levels - 1)
    return count


def _slic(image: Image, n_segments: int, compactness: float, sigma: float) -> NDArray[np.integer[Any]]:
    from skimage.segmentation import slic

    return slic(image, n_segments, compactness, ITERATIONS, sigma, enforce_connectivity=False, start_label=0, channel_axis=2)


def _slic_cv(image: Image, n_segments: int, ruler: float, blur: bool) -> Labels:
    lab, size = _lab(image, blur), _cell_size(image, n_segments)
    return _clustered(cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLIC, size, ruler))


def _slico(image: Image, n_segments: int, blur: bool) -> Labels:
    lab, size = _lab(image, blur), _cell_size(image, n_segments)
    return _clustered(cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLICO, size))


def _lsc(image: Image, n_segments: int, ratio: float, blur: bool) -> Labels:
    lab, size = _lab(image, blur), _cell_size(image, n_segments)
    return _clustered(cv2.ximgproc.createSuperpixelLSC(lab, size, ratio))


def _seeds(image: Image, n_segments: int, colour: str, prior: int, bins: int) -> Labels:
    height, width = image.shape[:2]
    asked, levels, count = seeds_grid(height, width, n_segments)
    if not count:
        raise ImageError(f"an image of {height}x{width} is too small for SEEDS; scale it up")
    seeds = cv2.ximgproc.createSuperpixelSEEDS(width, height, 3, asked, levels, prior, bins, True)
    seeds.iterate(cv2.cvtColor(image, _COLOURS[colour]) if colour != "rgb" else image, ITERATIONS)
    return seeds.getLabels()  # type: ignore[return-value] # int32


def _snic(image: Image, n_segments: int, compactness: float) -> Labels:
    height, width = image.shape[:2]
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32, copy=False)
    return _native.snic(lab, *grid(height, width, n_segments), compactness)


def _lab(image: Image, blur: bool) -> NDArray[np.uint8]:
    """What OpenCV's documentation advises as input of its SLIC and LSC."""
    return cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0) if blur else image, cv2.COLOR_RGB2LAB)  # type: ignore[return-value]


def _cell_size(image: Image, n_segments: int) -> int:
    """Height and width of a cell in pixels; at most such that a grid of them fits into the image, for else OpenCV divides by zero."""
    height, width = image.shape[:2]
    largest = math.isqrt(height * width // max(math.ceil(height / width), math.ceil(width / height)))
    return max(1, min(round(math.sqrt(height * width / n_segments)), largest))


def _clustered(method: Any) -> Labels:
    method.iterate(ITERATIONS)
    return method.getLabels()


_COLOURS = {"lab": cv2.COLOR_RGB2LAB, "hsv": cv2.COLOR_RGB2HSV}
_CLUSTER: dict[str, Callable[..., NDArray[np.integer[Any]]]] = {
    "slic": _slic,
    "slic-cv": _slic_cv,
    "slico": _slico,
    "lsc": _lsc,
    "seeds": _seeds,
    "snic": _snic,
}
