"""ERS: entropy rate superpixels, from the paper (Liu et al., CVPR 2011), in native code.

Colours are whole numbers, so many edges gain the same, and another order of such edges gives other superpixels: in flat images
a quarter or more of the pixels change, and mean ASA at 100 superpixels moves by some 0.005 either way. Here the first edge is
taken, by pixel, then upper right, lower right, lower, right: of the orders tried, one that is near the authors' code in ASA.

Parts are 8-connected; `join_fragments` makes them 4-connected and keeps their number.
"""

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import _native
from ainet.benchmarks.peers.base import Method, Options
from ainet.benchmarks.peers.peer import Image, Labels, Peer, join_fragments
from ainet.benchmarks.speed.clock import Stages

SIGMA = 15.0  # of the edge weight exp(-d^2 / (2 sigma^2)); the usual 5 for each of three channels
BALANCE = 0.5  # lambda' for each superpixel


def image_weights(image: Image) -> NDArray[np.float64]:
    """(H, W, 3) -> (4, H, W): weights to the upper right, lower right, lower and right neighbour, 0 outside.

    exp(-d^2 / (2 SIGMA^2)) of d = |dR| + |dG| + |dB|, times sqrt(2) on diagonals.
    """
    pixels = image.astype(np.int16)
    weights = np.zeros((4, *image.shape[:2]))
    first, last, all_ = np.s_[:-1], np.s_[1:], np.s_[:]  # of the rows, of the columns
    ends = (
        ((last, first), (first, last)),  # from (rows, columns) to (rows, columns)
        ((first, first), (last, last)),
        ((first, all_), (last, all_)),
        ((all_, first), (all_, last)),
    )
    for plane, (here, there), diagonal in zip(weights, ends, (True, True, False, False), strict=True):
        squared = np.arange(3 * 255 + 1) ** 2 * (2 if diagonal else 1)
        plane[here] = np.exp(-squared / (2 * SIGMA**2))[np.abs(pixels[here] - pixels[there]).sum(2)]
    return weights


def entropy_rate_superpixels(weights: NDArray[np.float64], n_segments: int) -> tuple[Labels, NDArray[np.float64]]:
    """Edge weights (4, H, W) >= 0, as of `image_weights` -> labels (H, W), exactly `n_segments`, 8-connected; and the gains taken.

    `n_segments` must be from 1 to the number of pixels. Labels are 0..K-1 in order of first appearance.
    """
    return _native.ers(np.ascontiguousarray(weights, np.float64), n_segments, BALANCE * n_segments)


def open_method(name: str, options: Options) -> Method:
    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        with stages("assignment"):
            labels, _ = entropy_rate_superpixels(image_weights(image), n_segments)
        with stages("connectivity"):
            return join_fragments(labels)

    return Peer(name, {"sigma": SIGMA, "balance": BALANCE, "ainet": version("ainet-toolkit")}, segment, threads=options.threads)
