"""SEEDS' numbers against OpenCV, SNIC against a plain version of the paper's algorithm, the sweep on a few images."""

import heapq
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.benchmarks.peers import Options, _native, sweep
from ainet.benchmarks.peers.classic import PARAMETERS, open_method, seeds_count, seeds_grid
from ainet.benchmarks.peers.fast import COMPACTNESS
from ainet.benchmarks.peers.peer import grid
from ainet.errors import UsageError


@pytest.mark.parametrize("size", [(321, 481), (481, 321), (448, 608), (33, 47), (16, 16)])
def test_number_of_seeds_superpixels(size: tuple[int, int]) -> None:
    height, width = size
    for asked in (10, 24, 54, 100, 333, 600, 1500):
        for levels in (2, 3, 5, 8):
            if predicted := seeds_count(height, width, asked, levels):
                assert predicted == cv2.ximgproc.createSuperpixelSEEDS(width, height, 3, asked, levels).getNumberOfSuperpixels()


@pytest.mark.parametrize("size", [(321, 481), (481, 321)])
def test_seeds_takes_the_nearest_number_there_is(size: tuple[int, int]) -> None:
    height, width = size
    every = {seeds_count(height, width, asked, levels) for asked in range(10, 4000) for levels in range(2, 10)} - {0}
    for n_segments in (20, 54, 150, 294, 486, 600, 1000, 1944):
        asked, levels, count = seeds_grid(height, width, n_segments)
        assert seeds_count(height, width, asked, levels) == count
        assert abs(count - n_segments) == min(abs(other - n_segments) for other in every)


def plain_snic(lab: NDArray[np.float32], rows: int, columns: int, compactness: float) -> NDArray[np.int32]:
    height, width = lab.shape[:2]
    pixels = np.concatenate((lab.astype(np.float64), np.indices((height, width)).transpose(1, 2, 0)), 2)  # L, a, b, y, x
    weight = np.array([1, 1, 1, 0, 0]) + np.array([0, 0, 0, 1, 1]) * compactness**2 / (height * width / (rows * columns))
    labels = np.full((height, width), -1, np.int32)
    members: list[list[NDArray[np.float64]]] = [[] for _ in range(rows * columns)]
    queue = []
    for k in range(rows * columns):
        y, x = int((k // columns + 0.5) * height / rows), int((k % columns + 0.5) * width / columns)
        queue.append((-1.0, len(queue), y, x, k))
    found = len(queue)
    while queue:
        _, _, y, x, k = heapq.heappop(queue)
        if labels[y, x] >= 0:
            continue
        labels[y, x] = k
        members[k].append(pixels[y, x])
        centre = np.mean(members[k], 0)
        for ny, nx in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
            if 0 <= ny < height and 0 <= nx < width and labels[ny, nx] < 0:
                distance = (weight * (pixels[ny, nx] - centre) ** 2).sum()
                heapq.heappush(queue, (distance, found, ny, nx, k))
                found += 1
    return labels


@pytest.mark.parametrize(("size", "n_segments"), [((20, 31), 12), ((31, 20), 40), ((1, 15), 4), ((9, 9), 81), ((16, 16), 1)])
def test_snic_equals_the_plain_algorithm(size: tuple[int, int], n_segments: int) -> None:
    rng = np.random.default_rng(0)
    lab = (rng.random((*size, 3)) * 100).astype(np.float32)
    cells = grid(*size, n_segments)
    for compactness in (1.0, 10.0, 60.0):
        np.testing.assert_array_equal(_native.snic(lab, *cells, compactness), plain_snic(lab, *cells, compactness))


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_every_parameter_matters(name: str, photo: NDArray[np.uint8]) -> None:
    default = open_method(name, Options())(photo, 100)
    for parameter, values in sweep.GRIDS[name].items():
        other = next(value for value in reversed(values) if value != PARAMETERS[name][parameter])
        assert not np.array_equal(open_method(name, Options(), **{parameter: other})(photo, 100), default), parameter


def test_defaults_are_the_winners_of_the_sweeps() -> None:
    results = Path(sweep.__file__).parents[1] / "results"
    if not results.is_dir():
        pytest.skip("an installation without the results")
    for name, parameters in (PARAMETERS | {"fast-slic": {"compactness": COMPACTNESS}}).items():
        best = json.loads((results / f"sweep_{name}.json").read_text())["rows"][0]
        assert {key: best[key] for key in sweep.GRIDS[name]} == {key: parameters[key] for key in sweep.GRIDS[name]}


def test_sweep(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sweep.GRIDS, "snic", {"compactness": [1.0, 20.0]})
    result = sweep.sweep("snic", shared / "bsds500", images=2)
    assert [row["compactness"] for row in result["rows"]] == [20.0, 1.0]  # nearly no compactness is worse
    assert result["rows"][0]["asa"] > result["rows"][1]["asa"] > 0.8
    assert len(result["image_ids"]) == 2
    with pytest.raises(UsageError, match="BSDS500 'train'"):
        sweep.sweep("snic", tmp_path, images=2)
    with pytest.raises(UsageError, match="'ers'"):
        sweep.sweep("ers", tmp_path, images=2)
