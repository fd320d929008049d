"""Every engine that runs on this GPU, against ONNX Runtime on the CPU; TensorRT's are built here."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.paths import PHOTOS
from support.planes import normalise

from ainet import Segmenter, read_image
from ainet.models import DEFAULT, ONNX, bundled, bundled_checkpoint
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import assign
from ainet.runtime.tensorrt_api import MODULES
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", params=[*MODULES, "cuda", "torch:cuda", "torch:cuda in half precision"])
def segmenter(request, gpu, tmp_path_factory):
    with _open(request.param, tmp_path_factory) as loaded:
        yield loaded


def _open(device, tmp_path_factory):
    if device == "cuda":
        onnxruntime = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            pytest.skip("this ONNX Runtime has no CUDA provider")
        return Segmenter.load(device=device)
    if device.startswith("torch:cuda"):
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("this PyTorch has no CUDA")
        torch.backends.cudnn.allow_tf32 = False  # compared with float32
        torch.backends.cudnn.deterministic = True  # compared with itself, exactly
        return Segmenter.load(device="torch:cuda", precision="fp32" if device == "torch:cuda" else "fp16")
    pytest.importorskip("onnx")
    if importlib.util.find_spec(MODULES[device]) is None:
        pytest.skip(f"{device} is not installed")
    from ainet.export.engine import build_engine

    path = tmp_path_factory.mktemp("engine") / "model.engine"
    build_engine(bundled(DEFAULT + ONNX), path, ["320x480", "16x16..640x640"], package=device)
    return Segmenter.load(path)


@pytest.fixture(scope="module")
def cpu():
    pytest.importorskip("onnxruntime")
    with Segmenter.load(device="cpu") as loaded:
        yield loaded


def test_scores_and_ids_are_those_of_the_cpu(segmenter, cpu):
    photo = read_image(PHOTOS / "chelsea.jpg")[:160, :240]
    planes = normalise(photo[None], MEAN)
    result, expected = segmenter.backend.run(planes).astype(np.float32), cpu.backend.run(planes)
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.2 if segmenter.backend.info.precision == "fp16" else 1e-2)
    assert (assign(result, 160, 240) == assign(expected, 160, 240)).mean() >= 0.999


@pytest.mark.parametrize("n_segments", [60, 600])
def test_labels_are_nearly_those_of_the_cpu(segmenter, cpu, n_segments):
    photo = read_image(PHOTOS / "coffee.jpg")
    result, expected = segmenter(photo, n_segments, quality="fast"), cpu(photo, n_segments, quality="fast")
    assert abs(int(result.max()) - int(expected.max())) <= 0.01 * expected.max() + 1
    edges = [np.diff(labels, axis=1) != 0 for labels in (result, expected)]
    assert (edges[0] == edges[1]).mean() >= 0.998


def test_a_large_batch_in_chunks(segmenter):
    photo = read_image(PHOTOS / "astronaut.jpg")
    images = np.stack([photo[i : i + 300, i : i + 400] for i in range(0, 99, 3)])
    plan = plan_segments(300, 400, 300)
    first, second = (run_pipeline(segmenter.backend, images, plan) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    for image, labels in zip(images, first, strict=True):  # kernels may differ with the size of a batch
        alone = run_pipeline(segmenter.backend, image[None], plan)[0]
        edges = [np.diff(each, axis=1) != 0 for each in (labels, alone)]
        assert (edges[0] == edges[1]).mean() >= 0.998


@pytest.mark.parametrize("package", MODULES)
def test_an_engine_of_labels(gpu, cpu, package, tmp_path):
    if importlib.util.find_spec(MODULES[package]) is None:
        pytest.skip(f"{package} is not installed")
    from ainet.export.engine import build_engine
    from ainet.export.onnx import export_onnx
    from ainet.training.checkpoint import load_checkpoint

    export_onnx(load_checkpoint(bundled_checkpoint()), tmp_path / "labels.onnx", output="labels")
    build_engine(tmp_path / "labels.onnx", tmp_path / "labels.engine", ["16x16..640x640"], package=package)
    photo = read_image(PHOTOS / "coffee.jpg")
    with Segmenter.load(tmp_path / "labels.engine") as segmenter:
        result, expected = segmenter(photo, 600, quality="fast"), cpu(photo, 600, quality="fast")
    edges = [np.diff(labels, axis=1) != 0 for labels in (result, expected)]
    assert (edges[0] == edges[1]).mean() >= 0.998


def test_graphs_repeat_and_threads_agree(segmenter):
    photo = read_image(PHOTOS / "astronaut.jpg")
    images = [np.ascontiguousarray(photo[i : i + 300, i : i + 400]) for i in range(0, 80, 10)] * 3
    plan = plan_segments(300, 400, 300)
    expected = [run_pipeline(segmenter.backend, image[None], plan)[0] for image in images[:8]] * 3
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda image: segmenter(image, 300, quality="fast"), images))
    for labels, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(labels, wanted)
