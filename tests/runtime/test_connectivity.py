"""enforce_connectivity against the public code's results and scikit-image's routine, label for label."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.runtime.postprocess import enforce_connectivity

INT64 = np.iinfo(np.int64)


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, NDArray]:
    with np.load(shared / "reference/networks/connectivity_vectors.npz") as file:
        return dict(file)


def blobs(shape: tuple[int, int], labels: int, scale: int, noise: float, seed: int) -> NDArray[np.int64]:
    """Random squares of side `scale` with a share of random pixels: large, small and ragged components."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, labels, (shape[0] // scale + 1, shape[1] // scale + 1))
    fine = coarse.repeat(scale, 0).repeat(scale, 1)[: shape[0], : shape[1]]
    return np.where(rng.random(shape) < noise, rng.integers(0, labels, shape), fine)


def test_named_reference_vectors(vectors: dict[str, NDArray]) -> None:
    names = [key.removesuffix(".labels") for key in vectors if key.endswith(".labels")]
    assert len(names) == 46
    for name in names:
        result = enforce_connectivity(vectors[f"{name}.labels"], *map(int, vectors[f"{name}.min_max"]))
        np.testing.assert_array_equal(result, vectors[f"{name}.out"], err_msg=name)


def test_random_reference_vectors(vectors: dict[str, NDArray]) -> None:
    stops = vectors["fuzz.shape"].astype(np.int64).prod(axis=1).cumsum()
    assert len(stops) == 400
    labels = np.split(vectors["fuzz.labels_flat"], stops[:-1])
    expected = np.split(vectors["fuzz.out_flat"], stops[:-1])
    for i, (shape, sizes) in enumerate(zip(vectors["fuzz.shape"], vectors["fuzz.min_max"], strict=True)):
        result = enforce_connectivity(labels[i].reshape(shape), *map(int, sizes))
        np.testing.assert_array_equal(result, expected[i].reshape(shape), err_msg=f"random case {i}")


@settings(max_examples=400, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 140)),
    labels=st.integers(1, 5),
    scale=st.sampled_from([1, 2, 3, 7, 16]),
    noise=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    min_size=st.integers(0, 60),
    max_size=st.integers(1, 300),
)
def test_equals_scikit_image(
    shape: tuple[int, int], labels: int, scale: int, noise: float, seed: int, min_size: int, max_size: int
) -> None:
    slic = pytest.importorskip("skimage.segmentation._slic")
    values = blobs(shape, labels, scale, noise, seed)
    # scikit-image takes -1 for a mask, so it gets the small values and the code under test the awkward ones.
    expected = slic._enforce_label_connectivity_cython(values[None].copy(), min_size, max_size, start_label=0)[0]
    awkward = np.array([INT64.min, -1, 2**32, 0, INT64.max])[values]  # 2**32 and 0 differ in their upper half only
    np.testing.assert_array_equal(enforce_connectivity(awkward, min_size, max_size), expected)


@pytest.mark.parametrize(("min_size", "max_size"), [(1, 1), (2, 1), (2, 2), (3, 2), (5, 4), (5, 5), (6, 5)])
def test_equals_scikit_image_at_the_bounds(min_size: int, max_size: int) -> None:
    slic = pytest.importorskip("skimage.segmentation._slic")
    for seed in range(60):
        values = blobs((9, 13), labels=2, scale=1 + seed % 3, noise=0.3, seed=seed)
        expected = slic._enforce_label_connectivity_cython(values[None].copy(), min_size, max_size, start_label=0)[0]
        np.testing.assert_array_equal(enforce_connectivity(values, min_size, max_size), expected, err_msg=f"seed {seed}")


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">u8"])
def test_every_integer_type(dtype: str) -> None:
    values = blobs((40, 77), labels=5, scale=6, noise=0.05, seed=1)
    expected = enforce_connectivity(values, 6, 60)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    result = enforce_connectivity(np.array([low, high, 5, 6, high - 1], dtype=dtype)[values], 6, 60)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, expected)


def test_views_and_read_only_arrays() -> None:
    values = blobs((60, 90), labels=4, scale=5, noise=0.1, seed=2)
    view = values[::2, ::-3]
    view.flags.writeable = False
    before = view.copy()
    np.testing.assert_array_equal(enforce_connectivity(view, 5, 40), enforce_connectivity(before, 5, 40))
    np.testing.assert_array_equal(view, before)


def test_sizes_beyond_the_image() -> None:
    values = blobs((30, 41), labels=3, scale=4, noise=0.1, seed=3)
    everything = values.size
    np.testing.assert_array_equal(enforce_connectivity(values, 4, 10**30), enforce_connectivity(values, 4, everything))
    np.testing.assert_array_equal(enforce_connectivity(values, 10**30, 10**30), np.zeros_like(values))
    np.testing.assert_array_equal(enforce_connectivity(values, -(10**30), 50), enforce_connectivity(values, 1, 50))


def test_labels_are_connected_and_count_up_in_order_of_appearance() -> None:
    label = pytest.importorskip("skimage.measure").label
    for seed in range(20):
        result = enforce_connectivity(blobs((50, 61), labels=6, scale=7, noise=0.1, seed=seed), 9, 60)
        values, first = np.unique(result, return_index=True)
        np.testing.assert_array_equal(values, np.arange(len(values)))
        assert (np.diff(first) > 0).all()
        assert label(result, connectivity=1, background=-1).max() == len(values)


def test_batch_equals_single_images() -> None:
    batch = np.stack([blobs((37, 52), labels=5, scale=1 + i, noise=0.1, seed=i) for i in range(9)])
    result = enforce_connectivity(batch, 6, 80)
    assert result.shape == batch.shape
    for i, image in enumerate(batch):
        np.testing.assert_array_equal(result[i], enforce_connectivity(image, 6, 80))


def test_threads_give_equal_results() -> None:
    images = [blobs((61, 83), labels=5, scale=1 + i % 8, noise=0.1, seed=i) for i in range(64)]
    expected = [enforce_connectivity(image, 6, 80) for image in images]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda image: enforce_connectivity(image, 6, 80), images))
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize(
    ("labels", "min_size", "max_size", "message"),
    [
        (np.zeros(5, int), 1, 5, r"shape \(H, W\) or \(N, H, W\), not \(5,\)"),
        (np.zeros((1, 1, 2, 2), int), 1, 5, r"not \(1, 1, 2, 2\)"),
        (np.zeros((2, 2)), 1, 5, "integers, not float64"),
        (np.zeros((2, 2), bool), 1, 5, "integers, not bool"),
        (np.zeros((0, 2), int), 1, 5, "empty"),
        (np.zeros((0, 2, 2), int), 1, 5, "empty"),
        (np.zeros((2, 2), int), 1, 0, "max_size must be at least 1 pixel, not 0"),
        (np.zeros((2, 2), int), 1, -3, "not -3"),
        (np.zeros((2, 2), int), 1, 2.0, "max_size must be an integer, not 2.0"),
        (np.zeros((2, 2), int), "3", 5, "min_size must be an integer, not '3'"),
        (np.broadcast_to(np.int8(0), (2**16, 2**15)), 1, 5, "fewer than 2"),
    ],
)
def test_wrong_arguments(labels: NDArray, min_size: int, max_size: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        enforce_connectivity(labels, min_size, max_size)
