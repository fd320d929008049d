"""assign, resize_nearest, postprocess and network_planes against the reference vectors and plain numpy."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.planes import normalise

from ainet.errors import UsageError
from ainet.runtime.postprocess import assign, enforce_connectivity, network_planes, postprocess, resize_nearest
from ainet.runtime.resampling import resize_tables
from ainet.spec import MEAN


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, NDArray]:
    with np.load(shared / "reference/networks/protocol_vectors.npz") as file:
        return dict(file)


def random_scores(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def nearest(sources: int, targets: int) -> NDArray[np.int64]:
    scale = np.float32(sources / targets)
    return np.minimum(np.floor((np.arange(targets, dtype=np.float32) + np.float32(0.5)) * scale).astype(np.int64), sources - 1)


def assign_numpy(scores: NDArray[np.float32], height: int, width: int) -> NDArray[np.int64]:
    """The definition, whole arrays at a time."""
    h, w = scores.shape[2:]
    best = scores.argmax(axis=1)  # (N, h, w)
    row, column = np.indices((h, w)) // 16
    row = np.clip(row + best // 3 - 1, 0, h // 16 - 1)
    column = np.clip(column + best % 3 - 1, 0, w // 16 - 1)
    ids = row * (w // 16) + column
    return ids[:, nearest(h, height)][:, :, nearest(w, width)]


def test_neighbour_ids(vectors: dict[str, NDArray]) -> None:
    expected = vectors["grid.ids_per_cell"]  # (9, 3, 4)
    for n in range(9):
        scores = np.zeros((1, 9, 48, 64), np.float32)
        scores[:, n] = 1
        np.testing.assert_array_equal(assign(scores, 48, 64)[0], expected[n].repeat(16, 0).repeat(16, 1))


def test_best_neighbour(vectors: dict[str, NDArray]) -> None:
    result = assign(vectors["pool.prob"], 48, 64)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, vectors["assign.index"][:, 0])


def test_sum_of_ties_as_in_the_public_code(vectors: dict[str, NDArray]) -> None:
    result = assign(vectors["assign.tied_prob"], 48, 64, public=True)
    np.testing.assert_array_equal(result, vectors["assign.tied_index"][:, 0])


def test_first_of_ties_wins(vectors: dict[str, NDArray]) -> None:
    tied = vectors["assign.tied_prob"]
    np.testing.assert_array_equal(assign(tied, 48, 64), assign_numpy(tied, 48, 64))
    assert (assign(tied, 48, 64) != assign(tied, 48, 64, public=True)).any()


def test_nearest_tables_of_the_public_code(vectors: dict[str, NDArray]) -> None:
    tables = {key: table for key, table in vectors.items() if key.startswith("nearest.")}
    assert len(tables) == 50
    for key, table in tables.items():
        sources, targets = map(int, key.removeprefix("nearest.").split("_to_"))
        ids = np.arange(sources, dtype=np.int32)
        np.testing.assert_array_equal(resize_nearest(ids[None, None], 1, targets, public=True)[0, 0], table, err_msg=f"{key}, columns")
        np.testing.assert_array_equal(resize_nearest(ids[None, :, None], targets, 1, public=True)[0, :, 0], table, err_msg=f"{key}, rows")


@pytest.mark.parametrize(("sources", "targets"), [(320, 321), (480, 481), (480, 321), (16, 100), (96, 40), (7, 7), (1088, 1080)])
def test_resize_takes_the_pixel_under_the_centre(sources: int, targets: int) -> None:
    ids = np.arange(sources, dtype=np.int32)
    exact = (2 * np.arange(targets) + 1) * sources // (2 * targets)
    np.testing.assert_array_equal(resize_nearest(ids[None, None], 1, targets)[0, 0], exact)


@pytest.mark.parametrize("size", [(48, 80), (96, 160), (51, 77), (20, 31), (48, 31), (130, 80), (1, 1), (7, 400)])
def test_assign_at_other_sizes(size: tuple[int, int]) -> None:
    scores = random_scores(2, 9, 48, 80)
    np.testing.assert_array_equal(assign(scores, *size), assign_numpy(scores, *size))
    np.testing.assert_array_equal(resize_nearest(assign(scores, 48, 80), *size), assign(scores, *size))


@pytest.mark.parametrize("cells", [(1, 1), (1, 5), (5, 1)])
def test_assign_on_narrow_grids(cells: tuple[int, int]) -> None:
    h, w = 16 * cells[0], 16 * cells[1]
    scores = random_scores(1, 9, h, w)
    np.testing.assert_array_equal(assign(scores, h, w), assign_numpy(scores, h, w))


@pytest.mark.parametrize("dtype", ["f2", ">f2", "f4", ">f4", "f8"])
def test_floating_point_types_and_views(dtype: str) -> None:
    scores = random_scores(2, 9, 32, 96).astype(dtype)
    expected = assign_numpy(scores.astype(np.float32), 32, 96)
    np.testing.assert_array_equal(assign(scores, 32, 96), expected)
    channels_last = np.ascontiguousarray(scores.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(assign(channels_last, 32, 96), expected)


@pytest.mark.parametrize("public", [False, True])
def test_every_finite_half_and_infinity_in_order(public: bool) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[~np.isnan(halves)]  # +-0 and +-inf among them
    scores = np.random.default_rng(3).choice(halves, (1, 9, 256, 256))
    scores[:, 1::2, :, :128] = -scores[:, :8:2, :, :128]  # zeros of both signs meet, and so do close magnitudes
    scores[:, 4:6, 128:] = scores[:, :2, 128:]
    np.testing.assert_array_equal(assign(scores, 256, 256, public), assign(scores.astype(np.float32), 256, 256, public))


@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_nan_gives_valid_ids(dtype: str) -> None:
    scores = random_scores(1, 9, 32, 48).astype(dtype)
    rng = np.random.default_rng(1)
    scores[rng.random(scores.shape) < 0.1] = np.nan
    scores[rng.random(scores.shape) < 0.1] = -np.nan
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    scores[:, :, :16, :16] = np.nan
    ids = assign(scores, 32, 48)
    assert ids.min() >= 0
    assert ids.max() < 6
    clean = ~np.isnan(scores).any(axis=1)
    np.testing.assert_array_equal(ids[clean], assign_numpy(scores, 32, 48)[clean])
    sums = assign(scores, 32, 48, public=True)
    assert sums.min() >= 0
    assert sums.max() < 6 * 9


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("size", [(64, 96), (81, 121), (40, 50)])
def test_postprocess_is_assign_and_connectivity(size: tuple[int, int], public: bool) -> None:
    scores = np.round(random_scores(5, 9, 64, 96).repeat(4, 2).repeat(4, 3)[:, :, :64, :96], 1)  # blocks of 4 x 4, some tied
    ids = assign(scores, *size, public=public)
    expected = enforce_connectivity(ids, 12, 300)
    assert len(np.unique(expected[0])) > 5
    np.testing.assert_array_equal(postprocess(scores, *size, 12, 300, public), expected)
    np.testing.assert_array_equal(
        postprocess(assign(scores, 64, 96, public), *size, 12, 300, public),
        enforce_connectivity(ids, 12, 300),
    )
    for i in range(5):
        np.testing.assert_array_equal(postprocess(scores[i : i + 1], *size, 12, 300, public)[0], expected[i])


SAME_SIZE = resize_tables(16, 16, 16, 16)


def test_planes_equal_numpy_bit_for_bit() -> None:
    every_value = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    images = np.concatenate([every_value, np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)])
    for mean in (MEAN, (0.485, 0.456, 0.406), (0, 0, 0)):
        result = network_planes(images, SAME_SIZE, mean)
        assert result.dtype == np.float32
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result.view(np.int32), normalise(images, mean).view(np.int32))
    turned = images[:, ::-1, ::-1]
    np.testing.assert_array_equal(network_planes(turned, SAME_SIZE, MEAN), network_planes(turned.copy(), SAME_SIZE, MEAN))


def test_threads_give_equal_results() -> None:
    inputs = [random_scores(2, 9, 48, 64, seed=i) for i in range(32)]
    expected = [postprocess(scores, 49, 65, 10, 400) for scores in inputs]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda scores: postprocess(scores, 49, 65, 10, 400), inputs))
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize(
    ("scores", "height", "width", "message"),
    [
        (np.zeros((9, 16, 16), np.float32), 16, 16, r"\(N, 9, h, w\), not float32 \(9, 16, 16\)"),
        (np.zeros((1, 8, 16, 16), np.float32), 16, 16, r"not float32 \(1, 8, 16, 16\)"),
        (np.zeros((1, 9, 16, 16), int), 16, 16, "floating point"),
        (np.zeros((0, 9, 16, 16), np.float32), 16, 16, "empty"),
        (np.zeros((1, 9, 16, 0), np.float32), 16, 16, "empty"),
        (np.zeros((1, 9, 16, 24), np.float32), 16, 16, "multiples of 16, not 16x24"),
        (np.zeros((1, 9, 16, 16), np.float32), 0, 16, "at least 1, not 0x16"),
        (np.zeros((1, 9, 16, 16), np.float32), 16, -1, "at least 1, not 16x-1"),
        (np.zeros((1, 9, 16, 16), np.float32), 16.0, 16, "height must be an integer, not 16.0"),
        (np.zeros((1, 9, 16, 16), np.float32), 2**16, 2**15, "fewer than 2"),
    ],
)
def test_wrong_scores(scores: NDArray, height: int, width: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assign(scores, height, width)
    if scores.ndim == 4:
        with pytest.raises(UsageError, match=message):
            postprocess(scores, height, width, 1, 100)


def test_wrong_ids_sizes_and_images() -> None:
    ids = np.zeros((1, 16, 16), np.int32)
    with pytest.raises(UsageError, match="int32"):
        resize_nearest(ids.astype(np.int64), 16, 16)
    with pytest.raises(UsageError, match="empty"):
        resize_nearest(ids[:0], 16, 16)
    with pytest.raises(UsageError, match="int32"):
        postprocess(ids.astype(np.float32), 16, 16, 1, 100)
    with pytest.raises(UsageError, match="max_size"):
        postprocess(ids, 16, 16, 1, 0)
    with pytest.raises(UsageError, match="uint8"):
        network_planes(np.zeros((1, 16, 16, 3)), SAME_SIZE, MEAN)
    with pytest.raises(UsageError, match=r"\(1, 16, 16, 4\)"):
        network_planes(np.zeros((1, 16, 16, 4), np.uint8), SAME_SIZE, MEAN)
    with pytest.raises(UsageError, match="three values"):
        network_planes(np.zeros((1, 16, 16, 3), np.uint8), SAME_SIZE, (0.5, 0.5))
