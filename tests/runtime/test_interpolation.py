"""Interpolated cells against the definition in plain numpy, tiles, threads, types, and what cannot be computed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.runtime.postprocess import Window, assign, assign_part, enforce_connectivity, postprocess
from ainet.runtime.quarters import as_planes

SIZES = [(48, 80), (51, 77), (20, 31), (60, 95), (1, 1), (7, 200)]


def scores_of(seed: int, h: int = 48, w: int = 80) -> NDArray[np.float32]:
    """(1, 9, h, w) logits that are alike within blocks of 4 x 4 pixels."""
    rng = np.random.default_rng(seed)
    blocks = 3 * rng.standard_normal((1, 9, h // 4, w // 4), dtype=np.float32).repeat(4, 2).repeat(4, 3)
    return blocks + rng.standard_normal(blocks.shape, dtype=np.float32)


def in_quarters(scores: NDArray[Any]) -> NDArray[Any]:
    """(N, 9, h, w) -> (N, 36, h/2, w/2): of each plane the pixels of even rows and columns, then by the definition."""
    quarters = [scores[:, :, row::2, column::2] for row in range(2) for column in range(2)]
    return np.ascontiguousarray(np.stack(quarters, 2).reshape(scores.shape[0], 36, scores.shape[2] // 2, scores.shape[3] // 2))


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    exponentials = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def around(j: int, sources: int, targets: int) -> tuple[int, int, float]:
    """The two sources around the centre of a target, and the weight of the second."""
    centre = (j + 0.5) * sources / targets - 0.5
    before = int(np.floor(centre))
    return max(before, 0), min(before + 1, sources - 1), centre - before


def shares_of(
    association: NDArray[np.float64], y: tuple[int, int, float], x: tuple[int, int, float], cell: int
) -> dict[tuple[int, int], float]:
    """What each cell that competes for a pixel gets; cells by their place in the grid, outside it too. association: (9, h, w)."""
    pixels = [(a, b) for a in y[:2] for b in x[:2]]
    weights = [(1 - y[2]) * (1 - x[2]), (1 - y[2]) * x[2], y[2] * (1 - x[2]), y[2] * x[2]]
    by_cell = [{(a // cell + n // 3 - 1, b // cell + n % 3 - 1): association[n, a, b] for n in range(9)} for a, b in pixels]
    competing = list(dict.fromkeys(max(cells, key=lambda place: cells[place]) for cells in by_cell))
    shares = dict.fromkeys(competing, 0.0)
    for cells, weight in zip(by_cell, weights, strict=True):
        total = sum(cells.get(place, 0) for place in competing)
        for place in competing:
            shares[place] += weight * cells.get(place, 0) / total
    return shares


def check_definition(found: NDArray[np.int32], association: NDArray[np.float64], cell: int) -> None:
    """Every id is that of the largest share, to rounding. association: (9, h, w)."""
    h, w = association.shape[1:]
    rows, columns = h // cell, w // cell
    for j in range(found.shape[0]):
        y = around(j, h, found.shape[0])
        for i in range(found.shape[1]):
            shares = shares_of(association, y, around(i, w, found.shape[1]), cell)
            best = max(shares.values())
            ids = {
                int(np.clip(row, 0, rows - 1)) * columns + int(np.clip(column, 0, columns - 1))
                for (row, column), share in shares.items()
                if share > best - 1e-4
            }
            assert found[j, i] in ids, (j, i)


@pytest.mark.parametrize("size", SIZES)
def test_interpolated_cells(size: tuple[int, int]) -> None:
    scores = scores_of(0)
    found = assign(scores, *size, smoothing=1)
    assert found.shape == (1, *size)
    check_definition(found[0], softmax(scores)[0], 16)


@pytest.mark.parametrize("size", [(51, 77), (20, 31), (7, 200)])
def test_means_of_blocks(size: tuple[int, int]) -> None:
    scores = scores_of(1) + scores_of(2)[:, :, ::-1]
    means = softmax(scores).reshape(9, 12, 4, 20, 4).mean((2, 4))
    check_definition(assign(scores, *size, smoothing=4)[0], means, 4)


@pytest.mark.parametrize("smoothing", [1, 4])
def test_logits_and_their_softmax_give_the_same_cells(smoothing: int) -> None:
    scores = scores_of(3)
    expected = assign(scores, 130, 95, smoothing=smoothing)
    found = assign(softmax(scores).astype(np.float32), 130, 95, smoothing=smoothing, logits=False)
    assert (found == expected).mean() > 0.999


def test_at_its_own_size_each_pixel_keeps_its_cell() -> None:
    scores = scores_of(4)
    np.testing.assert_array_equal(assign(scores, 48, 80, smoothing=1), assign(scores, 48, 80))


@pytest.mark.parametrize("smoothing", [1, 4])
def test_outlines_get_smoother(smoothing: int) -> None:
    scores = scores_of(5, 96, 96)
    lengths = []
    for rule in (0, smoothing):
        ids = assign(scores, 200, 200, smoothing=rule)[0]
        lengths.append(int((ids[1:] != ids[:-1]).sum() + (ids[:, 1:] != ids[:, :-1]).sum()))
    assert lengths[1] < 0.97 * lengths[0]


@pytest.mark.parametrize("smoothing", [0, 1, 4])
def test_threads_give_equal_cells(smoothing: int) -> None:
    scores = np.concatenate([scores_of(seed, 192, 256) for seed in range(2)])
    expected = assign(scores, 301, 411, smoothing=smoothing, threads=1)
    for threads in (0, 2, 5):
        np.testing.assert_array_equal(assign(scores, 301, 411, smoothing=smoothing, threads=threads), expected)
    labels = postprocess(scores, 301, 411, 10, 3000, smoothing=smoothing, threads=3)
    np.testing.assert_array_equal(labels, enforce_connectivity(expected, 10, 3000))


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8"])
@pytest.mark.parametrize("smoothing", [1, 4])
def test_floating_point_types(dtype: str, smoothing: int) -> None:
    scores = scores_of(6).astype(dtype)
    expected = assign(scores.astype(np.float32), 51, 77, smoothing=smoothing)
    np.testing.assert_array_equal(assign(scores, 51, 77, smoothing=smoothing), expected)


@pytest.mark.parametrize("smoothing", [0, 1, 4])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_quarters_give_the_cells_of_planes(dtype: str, smoothing: int) -> None:
    scores = np.concatenate([scores_of(seed) for seed in (10, 11)]).astype(dtype)
    scores[1][np.random.default_rng(12).random(scores[1].shape) < 0.02] = np.nan
    scores[1, 4, 20:30, 20:30] = np.inf
    quarters = in_quarters(scores)
    np.testing.assert_array_equal(as_planes(quarters), scores)
    for size in SIZES:
        for logits in (True, False):
            options = {"smoothing": smoothing, "logits": logits}
            np.testing.assert_array_equal(assign(quarters, *size, **options), assign(scores, *size, **options))
    labels = postprocess(quarters, 60, 95, 2, 500, smoothing=smoothing, threads=2)
    np.testing.assert_array_equal(labels, postprocess(scores, 60, 95, 2, 500, smoothing=smoothing))


def test_quarters_of_no_whole_cells_are_refused() -> None:
    for shape in ((1, 36, 24, 36), (1, 36, 20, 40), (1, 35, 24, 40)):
        with pytest.raises(UsageError, match="scores must"):
            assign(np.zeros(shape, np.float32), 51, 77, smoothing=1)


@pytest.mark.parametrize("smoothing", [1, 4])
@pytest.mark.parametrize("lying", [as_planes, in_quarters])
def test_parts_make_up_the_whole(smoothing: int, lying: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    scores = scores_of(7, 160, 192)
    expected = assign(scores, 213, 250, smoothing=smoothing)[0]
    out = np.full((213, 250), -1, np.int32)
    for top, bottom in ((0, 80), (80, 160)):
        for left, right in ((0, 64), (64, 128), (128, 192)):
            outer = max(0, top - 16), min(160, bottom + 16), max(0, left - 16), min(192, right + 16)
            part = np.ascontiguousarray(scores[:, :, outer[0] : outer[1], outer[2] : outer[3]])
            window = (top * 213 // 160, bottom * 213 // 160), (left * 250 // 192, right * 250 // 192)
            assign_part(lying(part), (outer[0], outer[2]), (160, 192), window, out, smoothing=smoothing, logits=True)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("smoothing", [1, 4])
@pytest.mark.parametrize("lying", [as_planes, in_quarters])
def test_a_part_far_inside_a_large_grid(smoothing: int, lying: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    """The cells of the part alone, at their place among 512 x 512; at a quarter of the size all numbers are exact, wherever they are."""
    scores = scores_of(13, 96, 96)
    rows, columns = np.divmod(assign(scores, 24, 24, smoothing=smoothing)[0, 4:20, 4:20], 6)
    out = np.zeros((2048, 2048), np.int32)
    window = (1024 + 4, 1024 + 20), (512 + 4, 512 + 20)
    assign_part(lying(scores), (4096, 2048), (8192, 8192), window, out, smoothing=smoothing, logits=True)
    np.testing.assert_array_equal(out[1028:1044, 516:532], (256 + rows) * 512 + 128 + columns)


@pytest.mark.parametrize(
    ("part", "window", "smoothing"),
    [
        ((0, 0), ((0, 49), (0, 80)), 1),
        ((0, 0), ((-1, 48), (0, 80)), 1),
        ((0, 0), ((0, 48), (50, 40)), 4),
        ((16, 0), ((0, 48), (0, 80)), 1),
        ((-16, 0), ((0, 32), (0, 80)), 1),
        ((0, 8), ((0, 48), (0, 72)), 1),
        ((0, 0), ((0, 48), (0, 80)), 0),
    ],
)
def test_parts_and_windows_that_are_not_inside(part: tuple[int, int], window: Window, smoothing: int) -> None:
    out = np.full((48, 80), -1, np.int32)
    with pytest.raises(ValueError, match=r"part|window"):
        assign_part(scores_of(14), part, (48, 80), window, out, smoothing=smoothing, logits=True)
    assert (out == -1).all()


@pytest.mark.parametrize("smoothing", [1, 4])
@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_nan_and_infinity_give_valid_cells(dtype: str, smoothing: int) -> None:
    rng = np.random.default_rng(8)
    scores = scores_of(8).astype(dtype)
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        scores[rng.random(scores.shape) < 0.1] = value
    scores[:, :, :16, :16] = np.nan
    for logits in (True, False):
        ids = assign(scores, 51, 77, smoothing=smoothing, logits=logits)
        assert ids.min() >= 0
        assert ids.max() < 15


@pytest.mark.parametrize("cells", [(1, 1), (1, 5), (5, 1)])
def test_narrow_grids(cells: tuple[int, int]) -> None:
    h, w = 16 * cells[0], 16 * cells[1]
    for smoothing in (1, 4):
        ids = assign(scores_of(9, h, w), 2 * h + 3, 2 * w + 1, smoothing=smoothing)
        assert set(np.unique(ids)) <= set(range(cells[0] * cells[1]))
