"""The kernels for a GPU, run on the host in order and on threads, against the CPU's own routines."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import host_kernels
from support.label_maps import adversarial, blobs, ranks

from ainet import read_image
from ainet.models import bundled
from ainet.runtime import _native, pipeline
from ainet.runtime.backends import Backend, open_backend
from ainet.runtime.cuda import kernels
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import assign, enforce_connectivity, normalise, resize_nearest
from ainet.spec import MEAN

ROOT = Path(__file__).resolve().parents[2]
THREADS = [1, 3]  # a team of 3 cuts what one of 1 does, in other steps


def check_connectivity(labels: NDArray, min_size: int, max_size: int, threads: int, case: object = "") -> None:
    batch = labels.reshape(-1, *labels.shape[-2:]).astype(np.int32)
    result = host_kernels.enforce_connectivity(batch, min_size, max_size, threads)
    np.testing.assert_array_equal(result, enforce_connectivity(batch, min_size, max_size), err_msg=f"{case}, {threads} threads")


@pytest.mark.parametrize("threads", THREADS)
def test_connectivity_reference_vectors(shared: Path, threads: int) -> None:
    with np.load(shared / "reference/networks/connectivity_vectors.npz") as file:
        vectors = dict(file)
    names = [key.removesuffix(".labels") for key in vectors if key.endswith(".labels")]
    assert len(names) == 46
    for name in names if threads == 1 else names[::3]:
        result = host_kernels.enforce_connectivity(ranks(vectors[f"{name}.labels"])[None], *map(int, vectors[f"{name}.min_max"]), threads)
        np.testing.assert_array_equal(result[0], vectors[f"{name}.out"], err_msg=name)
    assert len(vectors["fuzz.shape"]) == 400
    stops = vectors["fuzz.shape"].astype(np.int64).prod(axis=1).cumsum()
    labels, expected = (np.split(vectors[f"fuzz.{key}_flat"], stops[:-1]) for key in ("labels", "out"))
    for i in range(0, len(labels), 1 if threads == 1 else 10):
        shape, sizes = vectors["fuzz.shape"][i], vectors["fuzz.min_max"][i]
        result = host_kernels.enforce_connectivity(ranks(labels[i]).reshape(1, *shape), *map(int, sizes), threads)
        np.testing.assert_array_equal(result.ravel(), expected[i], err_msg=f"random case {i}")


@settings(max_examples=600, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 140)),
    labels=st.integers(1, 5),
    scale=st.sampled_from([1, 2, 3, 7, 16]),
    noise=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    min_size=st.integers(0, 60),
    max_size=st.one_of(st.integers(1, 300), st.just(2**31)),
    threads=st.sampled_from([1, 1, 1, 2]),
)
def test_connectivity_of_random_maps(
    shape: tuple[int, int], labels: int, scale: int, noise: float, seed: int, min_size: int, max_size: int, threads: int
) -> None:
    check_connectivity(blobs(np.random.default_rng(seed), shape, labels, scale, noise), min_size, max_size, threads)


@pytest.mark.parametrize("name", adversarial())
def test_connectivity_of_adversarial_maps(name: str) -> None:
    labels = adversarial()[name]
    for sizes in itertools.product((0, 2, 5, 40, 10**4), (1, 2, 7, 100, 3001, 2**31)):
        check_connectivity(labels, *sizes, threads=1, case=sizes)
    for sizes in ((5, 100), (40, 7), (5, 3001)):
        check_connectivity(labels, *sizes, threads=3, case=sizes)


@pytest.mark.parametrize("shape", [(1, 31), (1, 32), (1, 33), (32, 32), (25, 41), (32, 1024), (181, 182), (1, 32769), (1, 1048577)])
def test_connectivity_numbers_across_the_levels_of_its_counters(shape: tuple[int, int]) -> None:
    labels = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(host_kernels.enforce_connectivity(labels[None] % 2**20, 1, 50)[0], labels)


@pytest.mark.parametrize("threads", THREADS)
def test_connectivity_of_a_batch(threads: int) -> None:
    rng = np.random.default_rng(0)
    batch = np.stack([rng.integers(0, 2 + i, (20, 31)).repeat(2 + i, 0).repeat(2 + i, 1)[:40, :62] for i in range(5)])
    check_connectivity(batch, 6, 80, threads)


SIZES = [((321, 481), (320, 480)), ((100, 100), (50, 50)), ((37, 53), (96, 160)), ((16, 16), (160, 112)), ((1, 1), (16, 16))]
SIZES += [((97, 61), (48, 32)), ((64, 64), (64, 64)), ((3, 200), (32, 16)), ((300, 451), (480, 640)), ((540, 960), (320, 480))]


@pytest.mark.parametrize(("size", "out"), SIZES)
def test_resize_is_within_one_level_of_opencv(size: tuple[int, int], out: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    images[1] = rng.choice(np.array([0, 255], np.uint8), images[1].shape)  # overshoots both ends of the range
    expected = np.stack([cv2.resize(image, out[::-1], interpolation=cv2.INTER_CUBIC) for image in images]).astype(int)
    for threads in THREADS:
        result = host_kernels.resize(images, out, threads=threads)
        assert np.abs(result - expected).max() <= 1
        assert (result == expected).mean() > 0.9  # 0.9999 where OpenCV uses Intel's library; its own weights have 11 bits


def test_resize_equals_the_definition() -> None:
    """In double precision; where the exact value is half-way, single precision may fall to either side."""
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (45, 70, 3), dtype=np.uint8)
    out = (64, 96)

    def matrix(sources: int, targets: int) -> NDArray[np.float64]:
        centre = (np.arange(targets) + 0.5) * sources / targets - 0.5
        weights = np.zeros((targets, sources))
        for row, c in enumerate(centre):
            for source in range(int(np.floor(c)) - 1, int(np.floor(c)) + 3):
                t, a = abs(c - source), -0.75
                weight = (a + 2) * t**3 - (a + 3) * t**2 + 1 if t <= 1 else a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
                weights[row, np.clip(source, 0, sources - 1)] += weight
        return weights

    exact = np.einsum("yY,xX,YXc->yxc", matrix(45, out[0]), matrix(70, out[1]), image).clip(0, 255)
    result = host_kernels.resize(image[None], out)[0]
    assert np.abs(result - exact).max() < 0.5 + 1e-4


@pytest.mark.parametrize("threads", THREADS)
def test_resize_normalises(threads: int) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)
    for out in ((40, 56), (48, 80)):
        expected = normalise(host_kernels.resize(images, out), MEAN)
        floats = host_kernels.resize(images, out, "float32", MEAN, threads)
        np.testing.assert_array_equal(floats.view(np.int32), expected.view(np.int32))
        halves = host_kernels.resize(images, out, "float16", MEAN, threads)
        np.testing.assert_array_equal(halves.view(np.int16), expected.astype(np.float16).view(np.int16))


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_assign_equals_the_cpu(dtype: str, public: bool, threads: int) -> None:
    rng = np.random.default_rng(3)
    scores = np.round(rng.standard_normal((2, 9, 48, 80)), 1).astype(dtype)  # with ties
    scores[rng.random(scores.shape) < 0.05] = -0.0
    special = scores.copy()
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        special[rng.random(scores.shape) < 0.05] = value
    special[:, :, :16, :16] = np.nan
    for size in ((48, 80), (51, 77), (20, 31), (130, 80), (1, 1), (7, 400)):
        for values in (scores, special):
            np.testing.assert_array_equal(host_kernels.assign(values, size, public, threads), assign(values, *size, public))


def test_assign_on_narrow_grids_and_every_half() -> None:
    rng = np.random.default_rng(4)
    for h, w in ((16, 16), (16, 80), (80, 16)):
        scores = rng.standard_normal((1, 9, h, w), dtype=np.float32)
        np.testing.assert_array_equal(host_kernels.assign(scores, (h, w)), assign(scores, h, w))
    halves = rng.integers(0, 2**16, (1, 9, 256, 256), dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(host_kernels.assign(halves, (256, 256)), assign(halves, 256, 256))


def test_ids_are_resized_as_on_the_cpu(shared: Path) -> None:
    with np.load(shared / "reference/networks/protocol_vectors.npz") as file:
        tables = {key: file[key] for key in file if key.startswith("nearest.")}
    assert len(tables) == 50
    for key, table in tables.items():
        sources, targets = map(int, key.removeprefix("nearest.").split("_to_"))
        ids = np.arange(sources, dtype=np.int32)
        np.testing.assert_array_equal(host_kernels.assign(ids[None, None], (1, targets), public=True)[0, 0], table, err_msg=key)
        np.testing.assert_array_equal(host_kernels.assign(ids[None, :, None], (targets, 1), public=True)[0, :, 0], table, err_msg=key)
    ids = np.random.default_rng(5).integers(0, 15, (3, 48, 80), dtype=np.int32)
    np.testing.assert_array_equal(host_kernels.assign(ids, (51, 200), threads=2), resize_nearest(ids, 51, 200))


def test_kernels_on_a_photo() -> None:
    photo = read_image(ROOT / "examples/photos/chelsea.jpg")
    grey = cv2.resize(photo, (480, 320), interpolation=cv2.INTER_AREA).mean(2)
    scores = np.stack([np.abs(grey - 28 * k) for k in range(9)])[None].astype(np.float32)
    ids = host_kernels.assign(scores, photo.shape[:2])
    np.testing.assert_array_equal(ids, assign(scores, *photo.shape[:2]))
    assert host_kernels.enforce_connectivity(ids, 13, 676).max() > 100
    check_connectivity(ids, 13, 676, threads=1)
    check_connectivity(ids, 13, 676, threads=2)


@pytest.fixture(scope="module")
def network() -> Iterator[Backend]:
    pytest.importorskip("onnxruntime")
    backend = open_backend(bundled("ainet.onnx"), "cpu", threads=1)
    yield backend
    backend.close()


@pytest.mark.skipif(not cv2.ipp.useIPP(), reason="this OpenCV resizes with weights of 11 bits, which alone move over 0.1 % of the ids")
@pytest.mark.parametrize("n_segments", [150, 1500])  # all three photos get smaller; all three get larger
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_ids_of_a_network_between_the_kernels_are_those_of_opencv(network: Backend, name: str, n_segments: int) -> None:
    photo = read_image(ROOT / f"examples/photos/{name}.jpg")
    plan = plan_segments(*photo.shape[:2], n_segments)
    expected = assign(pipeline.network_output(network, photo[None], plan), *photo.shape[:2])
    planes = host_kernels.resize(photo[None], (plan.working_height, plan.working_width), "float32", network.info.mean)
    ids = host_kernels.assign(network.run(planes), photo.shape[:2])
    assert ids.shape == (1, *photo.shape[:2])
    assert len(np.unique(ids)) > 0.9 * plan.cells
    assert (ids == expected).mean() >= 0.999


def test_arguments_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="no kernel 'connect_fill' with arguments of 3 bytes"):
        _native.run_kernel("connect_fill", b"abc", 0, 1, 1)
    with pytest.raises(ValueError, match="no kernel 'nothing'"):
        _native.run_kernel("nothing", b"", 0, 1, 1)
    with pytest.raises(ValueError, match="24x16 pixels: not multiples of 16"):
        kernels.assign(host_kernels.launcher(1), 0, "float32", (1, 24, 16), 0, (24, 16))


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_threads_do_not_race(tmp_path: Path) -> None:
    """ThreadSanitizer over all kernels of connectivity."""
    sources = [Path(__file__).with_name("kernel_races.cpp"), ROOT / "runtime/native/device/host.cpp"]
    program = tmp_path / "races"
    command = ["g++", "-std=c++17", "-O1", "-fsanitize=thread", f"-I{ROOT / 'runtime/native'}", *sources, "-pthread", "-o", program]
    compiled = subprocess.run(command, capture_output=True, text=True)
    if compiled.returncode and "tsan" in compiled.stderr:
        pytest.skip("no ThreadSanitizer")
    assert compiled.returncode == 0, compiled.stderr
    result = subprocess.run([program], capture_output=True, text=True)
    if "unexpected memory mapping" in result.stderr:
        pytest.skip("this kernel's address layout is too random for ThreadSanitizer")
    assert (result.returncode, result.stdout, result.stderr) == (0, "equal\n" * 6, "")
