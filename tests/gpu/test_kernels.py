"""The kernels on a GPU: equal to their twins on the CPU, bit for bit."""

import itertools
import os

import numpy as np
import pytest
from support import host_kernels
from support.label_maps import adversarial, blobs, ranks

from ainet.runtime.postprocess import assign, enforce_connectivity, resize_nearest
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu
ALL_SIZES = list(itertools.product((0, 2, 5, 40, 10**4), (1, 2, 7, 100, 3001, 2**31)))
SIZES = [(5, 100), (40, 7), (5, 3001)] if os.environ.get("AINET_TEST_FEW_SIZES") else ALL_SIZES  # few: under a slow tool


def test_connectivity_reference_vectors(shared, device, tally):
    with np.load(shared / "reference/networks/connectivity_vectors.npz") as file:
        vectors = dict(file)
    names = [key.removesuffix(".labels") for key in vectors if key.endswith(".labels")]
    assert len(names) == 46
    for name in names:
        result = device.enforce_connectivity(ranks(vectors[f"{name}.labels"])[None], *map(int, vectors[f"{name}.min_max"]))
        tally.compare(result, vectors[f"{name}.out"][None], name)
    stops = vectors["fuzz.shape"].astype(np.int64).prod(axis=1).cumsum()
    labels, expected = (np.split(vectors[f"fuzz.{key}_flat"], stops[:-1]) for key in ("labels", "out"))
    for i, (shape, sizes) in enumerate(zip(vectors["fuzz.shape"], vectors["fuzz.min_max"], strict=True)):
        result = device.enforce_connectivity(ranks(labels[i]).reshape(1, *shape), *map(int, sizes))
        tally.compare(result, expected[i].reshape(1, *shape), f"random case {i}")
    assert tally.different_pixels == 0, tally.first


def test_connectivity_of_10000_random_maps(device, tally):
    rng = np.random.default_rng(0)
    for case in range(250):  # of 40 maps
        shape = tuple(int(side) for side in rng.integers(1, (140, 200)))
        labels, scale, noise = int(rng.integers(1, 6)), int(rng.choice([1, 2, 3, 7, 16])), float(rng.choice([0, 0.02, 0.2, 1]))
        min_size, max_size = int(rng.integers(0, 60)), int(rng.choice([rng.integers(1, 30), rng.integers(1, 2000), 2**31]))
        batch = np.stack([blobs(rng, shape, labels, scale, noise) for _ in range(40)]).astype(np.int32)
        result = device.enforce_connectivity(batch, min_size, max_size)
        tally.compare(result, enforce_connectivity(batch, min_size, max_size), f"case {case}")
    assert tally.maps == 10_000
    assert tally.different_pixels == 0, tally.first


@pytest.mark.parametrize("name", adversarial())
def test_connectivity_of_adversarial_maps(device, name):
    labels = adversarial()[name][None].astype(np.int32)
    for sizes in SIZES:
        result = device.enforce_connectivity(labels, *sizes)
        np.testing.assert_array_equal(result, enforce_connectivity(labels, *sizes), err_msg=str(sizes))


@pytest.mark.parametrize("shape", [(321, 481), (1080, 1920), (1, 1048577)])
def test_connectivity_of_large_maps(device, shape):
    batch = np.stack([blobs(np.random.default_rng(seed), shape, 9, 20, 0.02) for seed in range(2)]).astype(np.int32)
    for sizes in ((15, 772), (40, 300), (200, 2**31)):
        np.testing.assert_array_equal(device.enforce_connectivity(batch, *sizes), enforce_connectivity(batch, *sizes))


@pytest.mark.parametrize(("size", "out"), [((321, 481), (320, 480)), ((37, 53), (96, 160)), ((1080, 1920), (320, 576)), ((1, 1), (16, 16))])
def test_resize_equals_its_twin(device, size, out):
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(device.resize(images, out), host_kernels.resize(images, out))
    for dtype, bits in (("float32", np.int32), ("float16", np.int16)):
        result, expected = device.resize(images, out, dtype, MEAN), host_kernels.resize(images, out, dtype, MEAN)
        np.testing.assert_array_equal(result.view(bits), expected.view(bits))


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_assign_equals_the_cpu(device, dtype, public):
    rng = np.random.default_rng(3)
    scores = np.round(rng.standard_normal((3, 9, 96, 160)), 1).astype(dtype)
    special = scores.copy()
    for value in (np.nan, -np.nan, np.inf, -np.inf, -0.0):
        special[rng.random(scores.shape) < 0.05] = value
    for size in ((96, 160), (101, 153), (40, 62), (260, 160), (1, 1)):
        for values in (scores, special):
            np.testing.assert_array_equal(device.assign(values, size, public), assign(values, *size, public))


def test_ids_are_resized_as_on_the_cpu(device):
    ids = np.random.default_rng(5).integers(0, 600, (3, 320, 480), dtype=np.int32)
    for size in ((321, 481), (200, 1000), (7, 5)):
        np.testing.assert_array_equal(device.assign(ids, size), resize_nearest(ids, *size))
