"""ERS: entropy rate superpixels, from the paper (Liu et al., CVPR 2011), in native code.

Ties are many, since colours are whole numbers, and decided by the order of edges on the heap; in flat images another order
gives other superpixels, of equal quality. Parts are 8-connected; `join_fragments` makes them 4-connected and keeps their number.
"""

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import _native
from ainet.benchmarks.peers.base import Method, Options, Stages
from ainet.benchmarks.peers.peer import Image, Labels, Peer, join_fragments

SIGMA = 15.0  # of the edge weight exp(-d^2 / (2 sigma^2)); the usual 5 for each of three channels
BALANCE = 0.5  # lambda' for each superpixel


def image_weights(image: Image, sigma: float = SIGMA) -> NDArray[np.float64]:
    """(H, W, 3) -> (4, H, W): weights to the right, lower, lower right and upper right neighbour, 0 outside.

    exp(-d^2 / (2 sigma^2)) of d = |dR| + |dG| + |dB|, times sqrt(2) on diagonals.
    """
    pixels = image.astype(np.int16)
    weights = np.zeros((4, *image.shape[:2]))
    top, bottom, left, right = np.s_[:-1], np.s_[1:], np.s_[:, :-1], np.s_[:, 1:]
    pairs = (
        (pixels[left], pixels[right]),
        (pixels[top], pixels[bottom]),
        (pixels[left][top], pixels[right][bottom]),
        (pixels[left][bottom], pixels[right][top]),
    )
    places = (weights[0][left], weights[1][top], weights[2][left][top], weights[3][left][bottom])
    for direction, ((a, b), place) in enumerate(zip(pairs, places, strict=True)):
        squared = np.arange(3 * 255 + 1) ** 2 * (2 if direction >= 2 else 1)
        table = np.exp(-squared / (2 * sigma**2))
        place[:] = table[np.abs(a - b).sum(2)]
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

    return Peer(name, {"sigma": SIGMA, "balance": BALANCE}, segment, threads=options.threads)
