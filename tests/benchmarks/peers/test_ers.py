"""ERS against the plain greedy algorithm, written from the paper's formulas, and against the reference's label maps."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.benchmarks.peers import Options, open_method
from ainet.benchmarks.peers.ers import BALANCE, SIGMA, entropy_rate_superpixels, image_weights
from ainet.runtime.postprocess import enforce_connectivity

STEPS = ((-1, 1), (1, 1), (1, 0), (0, 1))  # upper right, lower right, lower, right


def edges_of(weights: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    _, height, width = weights.shape
    return [
        (y * width + x, (y + dy) * width + x + dx, float(weights[d, y, x]))
        for y in range(height)
        for x in range(width)
        for d, (dy, dx) in enumerate(STEPS)
        if 0 <= y + dy < height and x + dx < width
    ]


def plain_greedy(weights: NDArray[np.float64], segments: int) -> tuple[NDArray[np.int32], list[float]]:
    """Evaluates every edge at every step; of edges whose gains are equal but for rounding it takes the first."""
    pixels = weights[0].size
    edges = edges_of(weights)
    total = 2 * sum(w for _, _, w in edges)
    edges = [(i, j, w / total) for i, j, w in edges]
    loop = np.zeros(pixels)
    for i, j, w in edges:
        loop[i] += w
        loop[j] += w
    part = list(range(pixels))

    def h(x: float) -> float:
        return x * math.log(x) if x > 0 else 0.0

    def entropy(i: int, j: int, w: float) -> float:
        ci, cj = loop[i] - w, loop[j] - w
        return (h(w + ci) + h(w + cj) - h(ci) - h(cj) - 2 * h(w)) / math.log(2)

    def balance(i: int, j: int) -> float:
        s, t = part.count(part[i]) / pixels, part.count(part[j]) / pixels
        return (-h(s + t) + h(s) + h(t)) / math.log(2) + 1

    weight = BALANCE * segments * max(entropy(*edge) for edge in edges) / max(balance(i, j) for i, j, _ in edges)
    gains = []
    while len(set(part)) > segments:
        open_edges = [edge for edge in edges if part[edge[0]] != part[edge[1]]]
        values = [entropy(*edge) + weight * balance(*edge[:2]) for edge in open_edges]
        gains.append(max(values))
        i, j, w = next(edge for edge, value in zip(open_edges, values, strict=True) if value > gains[-1] - 1e-10 * gains[0])
        part = [part[i] if p == part[j] else p for p in part]
        loop[i] -= w
        loop[j] -= w
    first = list(dict.fromkeys(part))
    return np.array([first.index(p) for p in part], np.int32).reshape(weights.shape[1:]), gains


@pytest.mark.parametrize(("size", "segments"), [((5, 7), 4), ((8, 6), 9), ((1, 12), 3), ((9, 2), 1), ((4, 4), 16)])
def test_equals_the_plain_greedy_algorithm(size: tuple[int, int], segments: int) -> None:
    rng = np.random.default_rng(segments)
    for _ in range(4):
        for weights in (rng.random((4, *size)), image_weights(rng.integers(0, 3, (*size, 3), dtype=np.uint8) * 10)):  # few ties, many
            labels, gains = entropy_rate_superpixels(weights, segments)
            expected, expected_gains = plain_greedy(weights, segments)
            np.testing.assert_array_equal(labels, expected)
            np.testing.assert_allclose(gains, expected_gains, rtol=1e-9, atol=1e-12)


def test_gains_never_grow_and_counts_are_exact(photo: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for image in (photo, noise, np.zeros((20, 30, 3), np.uint8), photo[:1], photo[:, :1]):
        pixels = image.shape[0] * image.shape[1]
        for segments in {1, 2, 37, pixels // 3, pixels}:
            labels, gains = entropy_rate_superpixels(image_weights(image), segments)
            np.testing.assert_array_equal(np.unique(labels), np.arange(segments))
            assert len(gains) == pixels - segments
            assert all(later <= earlier + 2e-12 * gains[0] for earlier, later in pairwise(gains))


def test_image_weights() -> None:
    image = np.array([[[10, 20, 30], [13, 18, 30]], [[10, 20, 31], [255, 0, 0]]], np.uint8)
    weights = image_weights(image)

    def weight(distance: float) -> float:
        return math.exp(-(distance**2) / (2 * SIGMA**2))

    expected = np.zeros((4, 2, 2))
    expected[0, 1, 0] = weight((3 + 2 + 1) * math.sqrt(2))
    expected[1, 0, 0] = weight((245 + 20 + 30) * math.sqrt(2))
    expected[2, 0] = weight(1), weight(242 + 18 + 30)
    expected[3, :, 0] = weight(5), weight(245 + 20 + 31)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("image_id", ["3096", "175043", "33039"])
def test_reference_label_maps(
    image_id: str,
    peer_vectors: dict[str, NDArray[np.uint16]],
    val_image: Callable[[str], NDArray[np.uint8]],
    mean_asa: Callable[[NDArray[np.integer], str], float],
) -> None:
    image, method = val_image(image_id), open_method("ers", Options())
    for segments in (100, 600):
        labels = method(image, segments)
        assert labels.max() + 1 == enforce_connectivity(labels, 1, labels.size).max() + 1 == segments
        reference = peer_vectors[f"{image_id}.ers_{segments}"].astype(np.int32)
        assert abs(mean_asa(labels, image_id) - mean_asa(reference, image_id)) < 2e-3
