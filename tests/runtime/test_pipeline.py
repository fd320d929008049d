"""The way of an image: every step against plain references, tiles, batches, threads, and backends against each other."""

import importlib.util
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS
from support.reduction import Reduction
from support.tolerances import assert_labels_close, assert_logits_close, tolerance

from ainet import Segmenter, read_image
from ainet.errors import DeviceError, UsageError
from ainet.models import bundled
from ainet.runtime import pipeline
from ainet.runtime.backends import Backend
from ainet.runtime.plan import Plan, plan_segments
from ainet.runtime.postprocess import postprocess
from ainet.spec import MEAN

DEVICES = [
    pytest.param("cpu", marks=pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="no ONNX Runtime")),
    pytest.param("openvino", marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="no OpenVINO")),
    pytest.param("torch", marks=pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no PyTorch")),
]


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return read_image(PHOTOS / "chelsea.jpg")  # 300 x 451


@pytest.fixture(scope="module")
def cpu() -> Iterator[Segmenter]:
    pytest.importorskip("onnxruntime")
    with Segmenter.load(device="cpu", threads=1) as segmenter:
        yield segmenter


def nearest(sources: int, targets: int) -> NDArray[np.int64]:
    """Source index of each of `targets` outputs of OpenCV's nearest resize."""
    return np.minimum(np.floor(np.arange(targets, dtype=np.float32) * np.float32(sources / targets)).astype(np.int64), sources - 1)


def public_protocol(scores: NDArray[np.float32], height: int, width: int, min_size: int, max_size: int) -> NDArray[np.int64]:
    """The public code's post-processing, step by step: logits (9, h, w) -> labels (height, width)."""
    slic = pytest.importorskip("skimage.segmentation._slic")
    h, w = scores.shape[1:]
    rows, columns = h // 16, w // 16
    exponential = np.exp(scores - scores.max(0))
    association = (exponential / exponential.sum(0)).astype(np.float32)
    ids = np.zeros((h, w), np.int64)
    for y in range(h):
        for x in range(w):
            best = association[:, y, x].max()
            for k in range(9):
                if association[k, y, x] == best:  # ids of equals are added
                    row = min(max(y // 16 + k // 3 - 1, 0), rows - 1)
                    column = min(max(x // 16 + k % 3 - 1, 0), columns - 1)
                    ids[y, x] += row * columns + column
    resized = ids[nearest(h, height)][:, nearest(w, width)]
    return slic._enforce_label_connectivity_cython(np.ascontiguousarray(resized[None]), min_size, max_size, start_label=0)[0]


@pytest.mark.parametrize(
    ("name", "scale", "working", "sizes"),
    [("101085", 0.3, (144, 96), (171, 8577)), ("3096", 0.6, (192, 288), (42, 2144)), ("101085", 1.0, (480, 320), (15, 772))],
)
def test_public_protocol_step_by_step(
    shared: Path, cpu: Segmenter, name: str, scale: float, working: tuple[int, int], sizes: tuple[int, int]
) -> None:
    import onnxruntime

    file = shared / "bsds500/images/val" / f"{name}.jpg"
    original = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
    height, width = original.shape[:2]
    image = cv2.resize(original, working[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) / np.float32(255)
    image -= np.float32([0.411, 0.432, 0.45])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundled("ainet.onnx"), options, providers=["CPUExecutionProvider"])
    (scores,) = session.run(["logits"], {"image": np.ascontiguousarray(image.transpose(2, 0, 1))[None]})
    expected = public_protocol(scores[0], height, width, *sizes)
    labels = cpu(read_image(file), scale=scale, protocol="public")
    assert len(np.unique(labels)) > 0.5 * 600 * scale**2
    np.testing.assert_array_equal(labels, expected)


def test_tied_scores_are_added_in_the_public_protocol_alone() -> None:
    class Tied(Reduction):
        def scores(self, image):  # the first two neighbours share the maximum
            return np.concatenate([np.ones_like(image[:, :2]), np.zeros((1, 7, *image.shape[2:]), np.float32)], 1)

    image = np.zeros((321, 481, 3), np.uint8)
    public = Segmenter(Tied())(image, protocol="public", scale=0.5)
    expected = public_protocol(Tied().scores(np.zeros((1, 3, 160, 240), np.float32))[0], 321, 481, 61, 3088)
    np.testing.assert_array_equal(public, expected)
    own = Segmenter(Tied())(image, scale=0.5)
    assert own.max() > public.max()


@pytest.mark.parametrize("device", DEVICES[1:])
def test_backends_give_the_same_labels(cpu: Segmenter, device: str) -> None:
    within = tolerance("float32", "cpu")
    with Segmenter.load(device=device, precision="fp32") as segmenter:
        for name in ("astronaut.jpg", "chelsea.jpg", "coffee.jpg"):
            photo = read_image(PHOTOS / name)
            inputs = pipeline.network_input(photo[None], plan_segments(*photo.shape[:2], 60), cpu.info)
            found, expected = (pipeline.infer(each.backend, inputs) for each in (segmenter, cpu))
            assert found.dtype == np.float32
            assert_logits_close(found, expected, within)
            assert_labels_close(segmenter(photo, 60, quality="fast"), cpu(photo, 60, quality="fast"), within)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_threads_give_equal_results(photo: NDArray[np.uint8], device: str) -> None:
    images = [np.ascontiguousarray(photo[4 * i : 4 * i + 48 + 16 * (i % 3), i : i + 64]) for i in range(16)]
    with Segmenter.load(device=device, threads=1) as segmenter:
        expected = [segmenter(image, 12) for image in images]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda image: segmenter(image, 12), images))
    assert len({labels.tobytes() for labels in expected}) == 16
    for labels, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(labels, wanted)


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_gives_what_single_images_give(photo: NDArray[np.uint8], device: str) -> None:
    images = np.stack([photo[:96, :128], photo[100:196, 50:178], photo[-96:, -128:], photo[96:0:-1, :128], photo[:96, 200:328]])
    with Segmenter.load(device=device) as segmenter:
        expected = np.stack([segmenter(image, 48, quality="fast") for image in images])
        np.testing.assert_array_equal(segmenter(images, 48, quality="fast"), expected)
        two_at_a_time = replace(plan_segments(96, 128, 48), limit=2 * 96 * 128 + 100)
        np.testing.assert_array_equal(pipeline.run_pipeline(segmenter.backend, images, two_at_a_time), expected)


def test_batches_are_cut_into_chunks() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 64, 48, 3), dtype=np.uint8)
    plan = plan_segments(64, 48, 12)
    whole = Reduction()
    expected = pipeline.run_pipeline(whole, images, plan)
    assert whole.sizes == [(7, 3, 64, 48)]
    cut = Reduction()
    np.testing.assert_array_equal(pipeline.run_pipeline(cut, images, replace(plan, limit=3 * 64 * 48)), expected)
    assert [size[0] for size in cut.sizes] == [3, 3, 1]


@pytest.mark.slow
def test_no_memory_growth(photo: NDArray[np.uint8], cpu: Segmenter) -> None:
    """Keeping the image or the labels of every call would take over 150 MB; the working image is 32 x 48."""
    image = np.ascontiguousarray(photo[:288, :432])
    process = psutil.Process()
    for _ in range(100):
        cpu(image, 6)
    before = process.memory_info().rss
    for _ in range(400):
        cpu(image, 6)
    assert process.memory_info().rss - before < 8 * 2**20


@pytest.mark.parametrize("n_segments", [12, 150])
def test_a_model_that_gives_ids_gives_the_labels_of_the_nearest_pixels(photo: NDArray[np.uint8], cpu: Segmenter, n_segments: int) -> None:
    scores: Backend = cpu.backend

    class Ids:
        info, name = replace(scores.info, output="labels"), "ids"

        def run(self, image):
            assert image.dtype == np.uint8
            x = (image.astype(np.float32) / np.float32(255) - np.float32(MEAN)).transpose(0, 3, 1, 2).copy()
            best = scores.run(x).argmax(1)  # (N, h, w)
            row, column = np.indices(best.shape[1:]) // 16
            rows, columns = best.shape[1] // 16, best.shape[2] // 16
            return (np.clip(row + best // 3 - 1, 0, rows - 1) * columns + np.clip(column + best % 3 - 1, 0, columns - 1)).astype(np.int32)

    plan = plan_segments(*photo.shape[:2], n_segments)
    output = pipeline.network_output(scores, photo[None], plan)
    nearest = postprocess(output, plan.height, plan.width, plan.min_size, plan.max_size)[0]
    np.testing.assert_array_equal(Segmenter(Ids())(photo, n_segments, quality="fast"), nearest)


def test_the_whole_range_of_counts(cpu: Segmenter, photo: NDArray[np.uint8]) -> None:
    for height, width in ((16, 16), (16, 200), (45, 33)):
        image = np.ascontiguousarray(photo[100 : 100 + height, :width])
        for count in (4, height * width // 16, height * width // 4):
            labels = cpu(image, count)
            assert labels.shape == (height, width)
            assert 1 <= labels.max() + 1 <= height * width


@pytest.mark.parametrize("device", DEVICES)
def test_a_later_run_leaves_earlier_results_alone(device: str) -> None:
    inputs = np.random.default_rng(0).random((2, 1, 3, 32, 48), dtype=np.float32)
    with Segmenter.load(device=device) as segmenter:
        backend = segmenter.backend
        first = backend.run(inputs[0])
        kept = first.copy()
        assert not np.array_equal(backend.run(inputs[1]), kept)
        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("device", DEVICES)
def test_an_engine_that_fails_says_so_in_one_line(device: str) -> None:
    with Segmenter.load(device=device) as segmenter, pytest.raises(DeviceError, match="1x3x16x17"):
        segmenter.backend.run(np.zeros((1, 3, 16, 17), np.float32))


def test_a_working_image_beyond_memory() -> None:
    image = np.zeros((1, 64, 48, 3), np.uint8)
    with pytest.raises(UsageError, match=f"{2**20}x{2**20}"):
        pipeline.run_pipeline(Reduction(), image, Plan(64, 48, 2**20, 2**20, 15, 700, limit=2**40))

    class Full(Reduction):
        def run(self, image: NDArray[Any]) -> NDArray[Any]:
            raise MemoryError

    with pytest.raises(UsageError, match="64x48"):
        pipeline.run_pipeline(Full(), image, plan_segments(64, 48, 12))
