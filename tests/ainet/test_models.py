"""Names of models and devices."""

from pathlib import Path

import pytest

from ainet import Segmenter
from ainet.errors import ModelError, UsageError
from ainet.models import BUNDLED, CHECKPOINT, INT8, ONNX, Device, bundled, int8_path, model_path


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("auto", Device("auto")),
        ("cpu", Device("cpu")),
        ("openvino", Device("openvino")),
        ("cuda", Device("cuda", 0)),
        ("cuda:12", Device("cuda", 12)),
        ("tensorrt", Device("tensorrt", 0)),
        ("tensorrt:1", Device("tensorrt", 1)),
        ("torch", Device("torch", None, "cpu")),
        ("torch:cpu", Device("torch", None, "cpu")),
        ("torch:mps", Device("torch", None, "mps")),
        ("torch:cuda", Device("torch", 0, "cuda")),
        ("torch:cuda:3", Device("torch", 3, "cuda:3")),
    ],
)
def test_devices(text: str, device: Device) -> None:
    assert Device.parse(text) == device


@pytest.mark.parametrize("text", ["gpu", "", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:²", "cpu:0", "torch-cuda", "openvino:GPU"])
def test_devices_that_do_not_exist(text: str) -> None:
    with pytest.raises(UsageError, match=f"unknown device '{text}'"):
        Device.parse(text)


def test_files_by_name_and_path() -> None:
    for name in BUNDLED:
        assert model_path(name, Device("cpu")) == bundled(name + ONNX)
        assert model_path(name, Device("torch")) == bundled(name + CHECKPOINT)
    assert model_path(None, Device("auto")) == bundled("ainet-lite.onnx")
    assert model_path("my/scn.onnx", Device("cpu")) == Path("my/scn.onnx")
    with pytest.raises(ModelError, match=r"nothing\.onnx"):
        bundled("nothing.onnx")


def test_unknown_names_are_answered_with_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word without suffix or folder is a name; what looks like a path is told as one."""
    monkeypatch.chdir(tmp_path)
    for device in ("auto", "cpu", "torch"):
        if device == "torch":
            pytest.importorskip("torch")
        with pytest.raises(ModelError, match="'anet': name a file, or one of the bundled ainet, ainet-lite, scn"):
            Segmenter.load("anet", device)
    for path in ("anet.onnx", "./my/anet"):
        with pytest.raises(ModelError, match=f"no model file at {path.removeprefix('./')}"):
            Segmenter.load(path, "cpu")
    Path("anet").touch()
    with pytest.raises(ModelError, match="anet is no model"):
        Segmenter.load("anet", "cpu")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file that even root cannot read")
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_model_that_cannot_be_read(tmp_path: Path, device: str) -> None:
    link = tmp_path / "model.onnx"
    link.symlink_to("/proc/self/mem")
    for model in ("/proc/self/mem", link):
        with pytest.raises(ModelError, match=r"cannot read the model .*: Input/output error"):
            Segmenter.load(model, device)


def test_the_file_in_int8() -> None:
    """Of bundled names alone, for the engine that runs it, unless float32 is asked for."""
    for name in BUNDLED:
        assert int8_path(name, Device("auto"), "auto") == int8_path(name, Device("openvino"), "auto") == bundled(name + INT8)
    assert int8_path(None, Device("auto"), "auto") == bundled("ainet-lite-int8.onnx")
    others = [
        (None, "auto", "fp32"),
        (None, "cpu", "auto"),
        ("scn", "torch", "auto"),
        ("my/ainet", "auto", "auto"),
        ("x.onnx", "auto", "auto"),
    ]
    assert [int8_path(model, Device(engine), precision) for model, engine, precision in others] == [None] * 5
    with pytest.raises(UsageError, match="unknown precision 'int4'; choose one of auto, fp32, fp16"):
        int8_path("x.onnx", Device("cpu"), "int4")


def test_half_precision_is_asked_of_pytorch_on_a_gpu_alone() -> None:
    assert int8_path("ainet", Device.parse("torch:cuda"), "fp16") is None
    for device in ("auto", "cpu", "cuda", "openvino", "tensorrt", "torch"):
        with pytest.raises(UsageError, match="precision 'fp16' is for checkpoints on the device torch:cuda"):
            int8_path("ainet", Device.parse(device), "fp16")
