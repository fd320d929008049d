"""The face: conventions of the labels, every kind of image, and every wrong model, device and argument."""

import importlib.util
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from support.paths import PHOTOS

import ainet
from ainet import Segmenter
from ainet.errors import DeviceError, ImageError, ModelError, UsageError
from ainet.models import bundled

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no PyTorch")
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="no OpenVINO")


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTOS / "chelsea.jpg")[40:200, 100:340]  # 160 x 240


@pytest.mark.parametrize("quality", ["best", "fast"])
@pytest.mark.parametrize("n_segments", [4, 37, 150, 1000])
def test_conventions(segmenter: Segmenter, photo: NDArray[np.uint8], n_segments: int, quality: str) -> None:
    labels = segmenter(photo, n_segments, quality=quality)
    assert labels.dtype == np.int32
    assert labels.shape == photo.shape[:2]
    count = labels.max() + 1
    assert count == n_segments if quality == "best" else 0.7 * n_segments <= count <= 1.5 * n_segments
    values, first = np.unique(labels, return_index=True)
    assert values.tolist() == list(range(count))
    assert (np.diff(first) > 0).all()  # in order of first appearance
    boxes = ndimage.find_objects(labels + 1)
    for label, box in enumerate(boxes):
        assert ndimage.label(labels[box] == label)[1] == 1  # 4-connected


@pytest.mark.parametrize("start", [1, -3, 10_000, np.int64(7), 2**30])
def test_start_label(segmenter: Segmenter, photo: NDArray[np.uint8], start: int) -> None:
    labels = segmenter(photo, 50, start_label=start)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels.astype(np.int64) - int(start), segmenter(photo, 50))


@pytest.mark.parametrize("start", [1.5, "1", 2**30 + 1, -(2**31), 10**20])
def test_start_labels_that_cannot_be(segmenter: Segmenter, photo: NDArray[np.uint8], start: Any) -> None:
    with pytest.raises(UsageError, match="start_label"):
        segmenter(photo, 50, start_label=start)


def test_kinds_of_images(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    expected = segmenter(photo, 60)
    alpha = np.dstack([photo, np.arange(240, dtype=np.uint8)[None].repeat(160, 0)])
    for same in (photo / 255, (photo / 255).astype(np.float32), alpha, np.asfortranarray(photo), alpha[:, :, :3]):
        np.testing.assert_array_equal(segmenter(same, 60), expected)
    grey = photo[:, :, 1]
    expected = segmenter(np.stack([grey] * 3, 2), 60)
    for same in (grey, grey[:, :, None], grey / 255):
        np.testing.assert_array_equal(segmenter(same, 60), expected)


def test_batches(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    batch = np.stack([photo, photo[::-1]])
    labels = segmenter(batch, 60, start_label=1)
    assert labels.shape == (2, 160, 240)
    np.testing.assert_array_equal(labels, np.stack([segmenter(image, 60, start_label=1) for image in batch]))
    with pytest.raises(UsageError, match="empty"):
        segmenter(batch[:0])


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_images_of_any_sizes(segmenter: Segmenter, photo: NDArray[np.uint8], kind: type) -> None:
    images = [photo, photo[:64, :96], photo[:64, :96, 0], photo[:80] / 255]
    found = segmenter(kind(images), 60, start_label=1)
    assert isinstance(found, list)
    assert len(found) == len(images)
    for labels, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(labels, segmenter(image, 60, start_label=1))


def test_a_list_of_numbers_is_one_image(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    grey = photo[:64, :96, 0] / 255
    np.testing.assert_array_equal(segmenter(grey.tolist(), 60), segmenter(grey, 60))


def test_an_image_on_a_gpu_for_an_engine_on_the_cpu(segmenter: Segmenter) -> None:
    class OnGpu:
        __cuda_array_interface__ = {"shape": (64, 96, 3), "typestr": "|u1", "data": (4096, False), "version": 3}  # noqa: RUF012

    with pytest.raises(UsageError, match=r"ONNX Runtime \(CPU\) does not read"):
        segmenter(OnGpu(), 24)
    for options, message in (
        ({"quality": "best"}, "quality='best' is computed on the host"),
        ({"quality": "good"}, "unknown quality 'good'"),
        ({"mask": np.ones((64, 96), bool)}, "mask= and within= are not for arrays on a GPU"),
        ({"mask": np.ones((64, 96), bool), "quality": "fast"}, "mask= and within= are not for arrays on a GPU"),
        ({"within": np.zeros((64, 96), int)}, "mask= and within= are not for arrays on a GPU"),
        ({"start_label": 1}, "labels on a GPU start at 0"),
    ):
        with pytest.raises(UsageError, match=message):
            segmenter(OnGpu(), 24, **options)


def test_scale_and_protocol(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    plan = segmenter.plan(160, 240, scale=0.5)
    assert (plan.working_height, plan.working_width) == (80, 128)
    assert 0.7 * plan.cells <= segmenter(photo, scale=0.5).max() + 1 <= 1.5 * plan.cells
    assert segmenter.plan(321, 481, protocol="public").public
    with pytest.raises(UsageError, match="'private'"):
        segmenter(photo, protocol="private")
    with pytest.raises(UsageError, match="not 160x240"):
        segmenter(photo, protocol="public")


@pytest.mark.parametrize("image", [np.zeros((1, 1, 3), np.uint8), np.zeros((15, 400), np.uint8), np.zeros((0, 40, 3), np.uint8)])
def test_small_images(segmenter: Segmenter, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="at least 16 pixels"):
        segmenter(image, 4)


def test_counts_out_of_range(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    for count in (0, -5, 160 * 240, 160 * 240 // 4 + 1):
        with pytest.raises(UsageError, match=f"n_segments={count} .* 1 to 9600"):
            segmenter(photo, count)


def test_one_call(photo: NDArray[np.uint8]) -> None:
    labels = ainet.segment(photo, n_segments=60, start_label=1)
    assert labels.min() == 1
    with Segmenter.load() as segmenter:
        np.testing.assert_array_equal(labels, segmenter(photo, 60, start_label=1))


def test_closing(photo: NDArray[np.uint8]) -> None:
    with Segmenter.load(device="cpu") as segmenter:
        assert segmenter.device == "ONNX Runtime (CPU)"
        assert segmenter.info.network == "ainet-lite"
        segmenter(photo, 20)
        backend = weakref.ref(segmenter.backend)
    assert backend() is None
    for _ in range(2):
        with pytest.raises(UsageError, match="closed"):
            segmenter(photo, 20)
        segmenter.close()
    assert segmenter.device == "ONNX Runtime (CPU)"


def test_an_error_closes_too(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(ZeroDivisionError), Segmenter.load(device="cpu") as segmenter:
        raise ZeroDivisionError
    with pytest.raises(UsageError, match="closed"):
        segmenter(photo, 20)


def test_default_segmenter_from_threads(photo: NDArray[np.uint8]) -> None:
    images = [np.ascontiguousarray(photo[:64, i : i + 64]) for i in range(8)]
    expected = [ainet.segment(image, 16) for image in images]
    with ThreadPoolExecutor(8) as pool:
        for labels, wanted in zip(pool.map(lambda image: ainet.segment(image, 16), images), expected, strict=True):
            np.testing.assert_array_equal(labels, wanted)


@pytest.mark.parametrize("device", ["cuda:99", "cuda"])
def test_cuda_that_is_not_there(device: str) -> None:
    import onnxruntime

    if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there may be a CUDA device")
    with pytest.raises(DeviceError, match=r"CUDA|cuda"):
        Segmenter.load(device=device)


@needs_torch
@pytest.mark.parametrize("device", ["torch:nonsense", "torch:cuda:99"])
def test_torch_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(DeviceError, match=rf"'{device.partition(':')[2]}': [^\n]*$"):
        Segmenter.load(device=device)


def test_missing_engines_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, module, None)
    for device, extra in (("auto", "cpu"), ("cpu", "cpu"), ("cuda", "gpu"), ("openvino", "openvino")):
        with pytest.raises(DeviceError, match=rf"pip install 'ainet-toolkit\[{extra}\]'"):
            Segmenter.load(device=device)
    for module in ("torch", "ainet.training.checkpoint", "ainet.runtime.backends.pytorch"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DeviceError, match=r"pip install 'ainet-toolkit\[train\]'"):
        Segmenter.load(device="torch")


def test_auto_falls_back_where_cuda_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU build of ONNX Runtime on a machine without a driver."""
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    create = onnxruntime.InferenceSession

    def session(model: Any, options: Any, providers: list[Any], enable_fallback: int) -> Any:
        assert enable_fallback == 0  # falling back is ours to do, and to tell
        if providers[0] == "CPUExecutionProvider":
            return create(model, options, providers=providers)
        raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected\nat cuda_call.cc")

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    with pytest.raises(DeviceError, match="CUDA failure 100"):
        Segmenter.load(device="cuda")
    with Segmenter.load(device="auto") as segmenter:
        assert segmenter.device in ("OpenVINO (CPU, int8)", "OpenVINO (CPU)", "ONNX Runtime (CPU)")
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda model, options, providers, enable_fallback: create(model, options))
    with pytest.raises(DeviceError, match="CUDA device 3"):
        Segmenter.load(device="cuda:3")


@pytest.mark.parametrize("device", ["auto", "cpu", "openvino", "torch"])
@pytest.mark.parametrize("threads", [-5, -1, 4097, 2**40, 10**30])
def test_threads_out_of_range(device: str, threads: int) -> None:
    with pytest.raises(UsageError, match=f"threads={threads} is out of range"):
        Segmenter.load(device=device, threads=threads)


def onnx_files(folder: Path) -> dict[str, Path]:
    onnx = pytest.importorskip("onnx")
    whole = bundled("ainet.onnx").read_bytes()
    files = {name: folder / f"{name}.onnx" for name in ("truncated", "header", "text", "bare", "other")}
    files["truncated"].write_bytes(whole[: len(whole) // 2])
    files["header"].write_bytes(whole[:50])
    files["text"].write_text("not a model")
    model = onnx.load(bundled("ainet.onnx"))
    del model.metadata_props[:]
    onnx.save(model, files["bare"])
    onnx.helper.set_model_props(model, {"ainet": '{"cell_size": 8, "network": "ainet", "output": "logits"}'})
    onnx.save(model, files["other"])
    return files


@pytest.mark.parametrize("device", ["cpu", pytest.param("openvino", marks=needs_openvino)])
def test_unusable_onnx_files(tmp_path: Path, device: str, capfd: pytest.CaptureFixture[str]) -> None:
    for name, path in onnx_files(tmp_path).items():
        with pytest.raises(ModelError, match=rf"{name}\.onnx") as caught:
            Segmenter.load(path, device)
        assert "\n" not in str(caught.value)
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ModelError, match=r"empty\.onnx"):
        Segmenter.load(tmp_path / "empty.onnx", device)
    assert capfd.readouterr() == ("", "")  # engines have much to say


def test_models_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file at .*nowhere\.onnx"):
        Segmenter.load(tmp_path / "nowhere.onnx")
    with pytest.raises(ModelError, match="is a folder"):
        Segmenter.load(tmp_path)
    with pytest.raises(ModelError, match=r"ainet\.safetensors is not an ONNX file"):
        Segmenter.load(bundled("ainet.safetensors"))
    with pytest.raises(ModelError, match=r"ainet\.onnx is an ONNX file"):
        Segmenter.load(bundled("ainet.onnx"), "torch")
    with pytest.raises(ModelError, match=r"the bundled weights nothing\.onnx are not in this installation"):
        bundled("nothing.onnx")


@needs_torch
def test_torch_takes_checkpoints(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    with Segmenter.load(bundled("ainet.safetensors"), "torch") as segmenter:
        assert segmenter.device == "PyTorch (cpu)"
        assert segmenter(photo, 20).shape == (160, 240)
    with pytest.raises(ModelError, match=r"nowhere\.tar"):
        Segmenter.load(tmp_path / "nowhere.tar", "torch")


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_bundled_networks_by_name(device: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    labels = {}
    for name in ("ainet", "scn"):
        with Segmenter.load(name, device) as segmenter:
            assert segmenter.info.network == name
            labels[name] = segmenter(image, 24)
    assert (labels["ainet"] != labels["scn"]).any()
