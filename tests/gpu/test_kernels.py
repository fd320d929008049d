"""The kernels on a GPU, real or emulated, against the CPU's own routines, the reference vectors and the definition."""

import itertools
import os

import numpy as np
import pytest
from support.label_maps import adversarial, blobs, ranks
from support.paths import PHOTOS
from support.planes import normalise

from ainet import read_image
from ainet.models import bundled
from ainet.runtime import pipeline
from ainet.runtime.backends import open_backend
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import assign, enforce_connectivity, resize, resize_nearest
from ainet.runtime.resampling import resize_tables
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu
ALL_SIZES = list(itertools.product((0, 2, 5, 40, 10**4), (1, 2, 7, 100, 3001, 2**31)))
FEW_SIZES = [(0, 2**31), (5, 100), (40, 7), (5, 3001)]
FEW = bool(os.environ.get("AINET_TEST_FEW_SIZES"))  # under a slow tool


class Tally:
    """Label maps that were compared, pixels that differ, and where the first of them was."""

    def __init__(self):
        self.maps = self.different_pixels = 0
        self.first = None

    def compare(self, found, expected, case):
        """(N, H, W) each."""
        different = int(np.count_nonzero(found != expected))
        if different and self.first is None:
            self.first = case
        self.maps += len(expected)
        self.different_pixels += different


@pytest.fixture
def tally(record_property):
    """A tally that also goes into pytest's JUnit report."""
    counted = Tally()
    yield counted
    record_property("maps", counted.maps)
    record_property("different_pixels", counted.different_pixels)


def check_connectivity(device, labels, sizes, case=""):
    """Labels (H, W) or (N, H, W)."""
    batch = labels.reshape(-1, *labels.shape[-2:]).astype(np.int32)
    result = device.enforce_connectivity(batch, *sizes)
    np.testing.assert_array_equal(result, enforce_connectivity(batch, *sizes), err_msg=f"{case} {sizes}")


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
    assert tally.maps == 446
    assert tally.different_pixels == 0, tally.first


def test_connectivity_of_random_maps(device, tally, emulated):
    """10,000 on a real GPU."""
    rng = np.random.default_rng(0)
    cases, maps = (40, 2) if emulated else (250, 40)
    for case in range(cases):
        shape = tuple(int(length) for length in rng.integers(1, (140, 200)))
        labels, scale, noise = int(rng.integers(1, 6)), int(rng.choice([1, 2, 3, 7, 16])), float(rng.choice([0, 0.02, 0.2, 1]))
        min_size, max_size = int(rng.integers(0, 60)), int(rng.choice([rng.integers(1, 30), rng.integers(1, 2000), 2**31]))
        batch = np.stack([blobs(rng, shape, labels, scale, noise) for _ in range(maps)]).astype(np.int32)
        result = device.enforce_connectivity(batch, min_size, max_size)
        tally.compare(result, enforce_connectivity(batch, min_size, max_size), f"case {case}")
    assert tally.maps == cases * maps
    assert tally.different_pixels == 0, tally.first


@pytest.mark.parametrize("name", adversarial())
def test_connectivity_of_adversarial_maps(device, emulated, name):
    for sizes in FEW_SIZES if emulated or FEW else ALL_SIZES:
        check_connectivity(device, adversarial()[name], sizes, name)


@pytest.mark.parametrize("shape", [(1, 31), (1, 32), (1, 33), (32, 32), (25, 41), (32, 1024), (181, 182), (1, 32769), (1, 1048577)])
def test_connectivity_numbers_across_the_levels_of_its_counters(device, shape):
    labels = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(device.enforce_connectivity(labels[None] % 2**20, 1, 50)[0], labels)


@pytest.mark.parametrize("shape", [(321, 481), (1080, 1920), (1, 1048577)])
def test_connectivity_of_large_maps(device, emulated, shape):
    if emulated and shape == (1080, 1920):
        pytest.skip("too slow on the emulated GPU")
    batch = np.stack([blobs(np.random.default_rng(seed), shape, 9, 20, 0.02) for seed in range(2)])
    for sizes in [(15, 772)] if emulated else [(15, 772), (40, 300), (200, 2**31)]:
        check_connectivity(device, batch, sizes)


def test_connectivity_of_a_batch(device):
    rng = np.random.default_rng(0)
    batch = np.stack([rng.integers(0, 2 + i, (20, 31)).repeat(2 + i, 0).repeat(2 + i, 1)[:40, :62] for i in range(5)])
    check_connectivity(device, batch, (6, 80))


SHAPES = [((321, 481), (320, 480)), ((100, 100), (50, 50)), ((37, 53), (96, 160)), ((16, 16), (160, 112)), ((1, 1), (16, 16))]
SHAPES += [((97, 61), (48, 32)), ((64, 64), (64, 64)), ((3, 200), (32, 16)), ((300, 451), (480, 640)), ((540, 960), (320, 480))]


@pytest.mark.parametrize(("shape", "out"), SHAPES)
def test_resize_equals_the_cpu(device, shape, out):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    images[1] = rng.choice(np.array([0, 255], np.uint8), images[1].shape)  # overshoots both ends of the range
    for averages in (False, True) if shape[0] >= out[0] and shape[1] >= out[1] else (False,):
        expected = resize(images, resize_tables(*shape, *out, averages))
        np.testing.assert_array_equal(device.resize(images, out, averages=averages), expected)


def test_resize_normalises(device):
    images = np.random.default_rng(2).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)
    for out in ((40, 56), (48, 80)):
        expected = normalise(device.resize(images, out), MEAN)
        floats = device.resize(images, out, "float32", MEAN)
        np.testing.assert_array_equal(floats.view(np.int32), expected.view(np.int32))
        halves = device.resize(images, out, "float16", MEAN)
        np.testing.assert_array_equal(halves.view(np.int16), expected.astype(np.float16).view(np.int16))


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_assign_equals_the_cpu(device, dtype, public):
    rng = np.random.default_rng(3)
    scores = np.round(rng.standard_normal((2, 9, 48, 80)), 1).astype(dtype)  # with ties
    scores[rng.random(scores.shape) < 0.05] = -0.0
    special = scores.copy()
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        special[rng.random(scores.shape) < 0.05] = value
    special[:, :, :16, :16] = np.nan
    for size in ((48, 80), (51, 77), (20, 31), (130, 80), (1, 1), (7, 400)):
        for values in (scores, special):
            np.testing.assert_array_equal(device.assign(values, size, public), assign(values, *size, public))


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_interpolated_cells_equal_the_cpu(device, dtype, logits):
    rng = np.random.default_rng(6)
    coarse = rng.standard_normal((2, 9, 12, 20), dtype=np.float32).repeat(4, 2).repeat(4, 3)  # cells meet along the lines between blocks
    scores = (3 * coarse + rng.standard_normal(coarse.shape, dtype=np.float32)).astype(dtype)
    if not logits:
        scores = np.exp(scores.astype(np.float32)).astype(dtype)
    special = scores.copy()
    for value in (np.nan, np.inf, -np.inf):
        special[rng.random(scores.shape) < 0.02] = value
    for size in ((48, 80), (51, 77), (20, 31), (130, 80), (1, 1), (7, 400)):
        for values in (scores, special) if logits else (scores,):
            found = device.assign(values, size, interpolates=True, logits=logits)
            np.testing.assert_array_equal(found, assign(values, *size, smoothing=1, logits=logits))


def test_assign_on_narrow_grids_and_every_half(device):
    rng = np.random.default_rng(4)
    for h, w in ((16, 16), (16, 80), (80, 16)):
        scores = rng.standard_normal((1, 9, h, w), dtype=np.float32)
        np.testing.assert_array_equal(device.assign(scores, (h, w)), assign(scores, h, w))
    halves = rng.integers(0, 2**16, (1, 9, 256, 256), dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(device.assign(halves, (256, 256)), assign(halves, 256, 256))


def test_ids_are_resized_as_on_the_cpu(shared, device):
    with np.load(shared / "reference/networks/protocol_vectors.npz") as file:
        tables = {key: file[key] for key in file if key.startswith("nearest.")}
    assert len(tables) == 50
    for key, table in tables.items():
        sources, targets = map(int, key.removeprefix("nearest.").split("_to_"))
        ids = np.arange(sources, dtype=np.int32)
        np.testing.assert_array_equal(device.assign(ids[None, None], (1, targets), public=True)[0, 0], table, err_msg=key)
        np.testing.assert_array_equal(device.assign(ids[None, :, None], (targets, 1), public=True)[0, :, 0], table, err_msg=key)
    ids = np.random.default_rng(5).integers(0, 600, (3, 320, 480), dtype=np.int32)
    for size in ((321, 481), (200, 1000), (7, 5)):
        np.testing.assert_array_equal(device.assign(ids, size), resize_nearest(ids, *size))


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("onnxruntime")
    backend = open_backend(bundled("ainet.onnx"), "cpu", threads=1)
    yield backend
    backend.close()


@pytest.mark.parametrize("n_segments", [150, 1500])  # all three photos get smaller; all three get larger
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_photos_are_cut_as_on_the_cpu(device, network, name, n_segments):
    """With a network on the CPU between the kernels."""
    photo = read_image(PHOTOS / f"{name}.jpg")
    plan = plan_segments(*photo.shape[:2], n_segments)
    scores = pipeline.network_output(network, photo[None], plan)
    planes = device.resize(photo[None], (plan.working_height, plan.working_width), "float32", network.info.mean, plan.averages)
    np.testing.assert_array_equal(planes, pipeline.network_input(photo[None], plan, network.info))
    ids = device.assign(scores, photo.shape[:2], interpolates=True)
    assert len(np.unique(ids)) > 0.9 * plan.cells
    np.testing.assert_array_equal(ids, assign(scores, *photo.shape[:2], smoothing=plan.smoothing))
    check_connectivity(device, ids, (plan.min_size, plan.max_size))
