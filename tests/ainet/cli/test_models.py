"""`ainet export`, `convert`, `info` and `doctor`."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from support.command_line import FAST, Run, expected, tree

import ainet
from ainet import Segmenter
from ainet.cli import doctor
from ainet.models import bundled
from ainet.runtime import tensorrt_api as packages
from ainet.runtime.cuda.devices import Device
from ainet.runtime.engine_file import EngineInfo, Profile, sidecar
from ainet.runtime.model import ModelInfo
from ainet.runtime.tensorrt_api import TensorRtPackage
from ainet.spec import MEAN


def test_info(run: Run) -> None:
    result = run("info", bundled("ainet.onnx"))
    assert (result.code, result.errors) == (0, [])
    rows = dict(line.split(maxsplit=1) for line in result.lines)
    assert rows["network"] == "ainet"
    assert rows["output"] == "logits"
    assert len(rows["checkpoint_sha256"]) == 64
    assert rows["merging"].endswith("16 channels")
    pytest.importorskip("torch")
    result = run("info", bundled("ainet.safetensors"))
    checkpoint = dict(line.split(maxsplit=1) for line in result.lines)
    assert checkpoint["network"] == "ainet"
    assert checkpoint["sha256"] == rows["checkpoint_sha256"]


def test_export_info_and_segment(run: Run, segmenter: Segmenter) -> None:
    pytest.importorskip("onnxscript")
    result = run("export", "-o", "new/model.onnx", "--output", "labels")
    assert (result.code, result.errors) == (0, [])
    assert result.lines[0].startswith("new/model.onnx: ainet, fp32, output labels, ")
    assert tree("new") == ["model.onnx"]
    assert ["output", "labels"] in [line.split() for line in run("info", "new/model.onnx").lines]
    assert run("segment", "a.png", "-o", "out", "--model", "new/model.onnx", *FAST).code == 0
    np.testing.assert_array_equal(np.load("out/a.npy"), expected(segmenter, "a.png"))


def test_export_with_photos(run: Run) -> None:
    pytest.importorskip("onnxscript")
    photo = Image.open("a.png")
    for number, turn in enumerate((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)):
        photo.transpose(turn).save(f"{number}.png")
    result = run("export", "-o", "half.onnx", "--precision", "fp16", "--images", ".")
    assert (result.code, result.errors) == (0, [])
    said = r"half precision gives the same cell to (99\.\d{3})% of the pixels of 5 images; (.+)"
    found = re.fullmatch(said, result.lines[0])
    assert found
    if float(found[1]) >= 99.9:
        assert found[2] == "no layer has to stay in float32"
    else:  # depends on the bundled weights
        kept = re.fullmatch(r"(\S+(?:, \S+)*) in float32, (99\.9\d\d)%", found[2])
        assert kept
        kernels = [tensor.data_type for tensor in onnx.load("half.onnx").graph.initializer if len(tensor.dims) == 4]
        assert kernels.count(onnx.TensorProto.FLOAT) >= len(kept[1].split(", "))
    assert result.lines[1].startswith("half.onnx: ainet, fp16, output logits, ")


def test_convert(run: Run, public_checkpoints: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    result = run("convert", public_checkpoints["scn_legacy"], "-o", "new/scn.safetensors")
    assert (result.code, result.errors) == (0, [])
    assert tree("new") == ["scn.safetensors"]
    rows = dict(line.split(maxsplit=1) for line in run("info", "new/scn.safetensors").lines)
    assert (rows["network"], rows["source"]) == ("scn", "scn_public_ckpt_legacy.tar")


class Exploit:
    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("import pathlib; pathlib.Path('ran').touch()",))


def test_a_tampered_pickle_never_runs(run: Run) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"state_dict": {}, "arch": Exploit()}, "evil.tar")
    for arguments in (
        ["export", "evil.tar", "-o", "x.onnx"],
        ["convert", "evil.tar", "-o", "x.safetensors"],
        ["info", "evil.tar"],
        ["segment", "a.png", "-o", "out", "--device", "torch", "--model", "evil.tar"],
    ):
        result = run(*arguments)
        assert result.code == 1
        assert len(result.errors) == 1
        assert "refused evil.tar" in result.errors[0]
    assert tree(".") == ["a.png", "b.jpg", "evil.tar"]


def test_checkpoints_that_do_not_fit(run: Run) -> None:
    pytest.importorskip("torch")
    from ainet.training.checkpoint import save_checkpoint
    from ainet.training.networks import build

    save_checkpoint("other.safetensors", build("scn"), {"network": "ainet"})
    Path("cut.safetensors").write_bytes(Path("other.safetensors").read_bytes()[:5000])
    for name, message in (
        ("other.safetensors", "error: other.safetensors does not fit the network AINet: missing "),
        ("cut.safetensors", "error: cut.safetensors"),
        ("gone.tar", "error: cannot read checkpoint gone.tar: No such file or directory; check the path"),
        ("a.png", "error: refused a.png"),
    ):
        for arguments in (["export", name, "-o", "x.onnx"], ["convert", name, "-o", "x.safetensors"], ["info", name]):
            result = run(*arguments)
            assert result.code == 1
            assert len(result.errors) == 1
            assert result.errors[0].startswith(message)
    assert not list(Path().glob("x.*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "-o", "x.pt"], 2, "cannot export to 'x.pt': the name must end in .onnx"),
        (["export", "-o", "x.onnx", "--precision", "int4"], 2, "unknown precision 'int4'; choose one of fp32, fp16"),
        (["export", "-o", "x.onnx", "--images", "."], 2, "--images finds what an fp16 model has to keep in float32; add --precision fp16"),
        (["export", "-o", "x.onnx", "--precision", "fp16", "--images", "gone"], 2, "no folder gone; name a folder of images"),
        (["export", "-o", "x.onnx", "--output", "ids"], 2, "unknown output 'ids'; choose one of logits, association, labels"),
        (["export", "model.onnx", "-o", "x.onnx"], 1, "model.onnx is an ONNX model already; name a checkpoint"),
        (["convert", "x.tar", "-o", "x.onnx"], 2, "cannot convert to 'x.onnx': the name must end in .safetensors"),
        (["convert", bundled("ainet.safetensors"), "-o", "file/x.safetensors"], 1, "cannot write file/x.safetensors: "),
        (["info", "gone.onnx"], 1, "no model file at gone.onnx; make one with: ainet export CHECKPOINT -o gone.onnx"),
        (["info", "file"], 1, "file is not a checkpoint"),
    ],
)
def test_wrong_model_commands(run: Run, arguments: list[str], code: int, message: str) -> None:
    pytest.importorskip("torch")
    Path("file").touch()
    result = run(*arguments)
    assert (result.code, len(result.errors)) == (code, 1)
    assert result.errors[0].startswith(f"error: {message}")
    assert tree(".") == ["a.png", "b.jpg", "file"]


def test_info_of_an_engine(run: Run) -> None:
    model = ModelInfo("scn", "labels", "fp16", MEAN, "a" * 64, {}, "0.1.0")
    profile = Profile((1, 320, 480), (1, 320, 480))
    engine = EngineInfo("tensorrt-rtx", "1.7.1", ("sm86",), (profile,), model, "b" * 64, "c" * 64, {})
    sidecar(Path("x.engine")).write_text(engine.to_json())
    Path("x.engine").touch()
    result = run("info", "x.engine")
    assert result.code == 0
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in result.lines}
    assert (rows["kind"], rows["package"], rows["plan_sha256"]) == ("TensorRT engine", "tensorrt-rtx", "c" * 64)
    assert "'network': 'scn'" in rows["model"]


def test_doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("doctor")
    assert (result.code, result.errors) == (0, [])
    rows = {line.split()[0]: line.split()[1:] for line in result.lines if line}
    assert rows["onnxruntime"][0] == onnxruntime.__version__
    advice = next(line for line in result.lines if line.startswith("onnxruntime-gpu"))
    assert advice.endswith("pip uninstall -y onnxruntime && pip install 'ainet-toolkit[gpu]'")
    assert rows["cpu"] == ["yes", "ONNX", "Runtime", "(CPU)"]
    for package in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "ainet.runtime.backends.pytorch", None)
    result = run("doctor")
    assert result.code == 1
    assert result.lines[-1] == "No device works: pip install 'ainet-toolkit[cpu]'"
    assert any(line.startswith("openvino  ") and "no     device 'openvino' needs OpenVINO: pip install" in line for line in result.lines)


def doctor_rows(run: Run) -> dict[str, str]:
    """Second table of `ainet doctor`: a row's name -> the rest of it."""
    result = run("doctor")
    assert (result.code, result.errors) == (0, [])
    start = next(index for index, line in enumerate(result.lines) if line.startswith("GPU"))
    end = result.lines.index("", start)
    return {name: " ".join(rest) for name, *rest in map(str.split, result.lines[start + 1 : end])}


def test_doctor_on_a_machine_with_gpus(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = [Device("NVIDIA H200", "sm90", "13.0"), Device("NVIDIA GeForce RTX 5090", "sm120", "13.0")]
    monkeypatch.setattr(doctor, "find_devices", lambda: gpus)
    monkeypatch.setattr(doctor, "load_package", lambda name: TensorRtPackage(name, SimpleNamespace(__version__="11.4.0.106"), None))
    rows = doctor_rows(run)
    assert rows["NVIDIA"] == "yes NVIDIA H200 (sm90), NVIDIA GeForce RTX 5090 (sm120); driver for CUDA 13.0"
    assert rows["tensorrt"] == "yes tensorrt 11.4.0.106, builds for the GPU of this machine"


def test_doctor_says_what_is_missing_for_gpus(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cuda.core", "tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("ainet.runtime.tensorrt_api._load", packages._load.__wrapped__)
    monkeypatch.setattr("ainet.runtime.cuda.binary.SHIPPED", Path("nowhere"))
    rows = doctor_rows(run)
    assert rows["NVIDIA"].startswith("no using the GPU needs cuda-core")
    assert rows["NVIDIA"].endswith(": pip install cuda-core cuda-bindings")
    assert "pip install cuda-core cuda-bindings nvidia-cuda-nvrtc" in rows["kernels"]
    for name in ("tensorrt", "tensorrt-rtx"):
        assert rows[name].endswith(f"pip install 'ainet-toolkit[{name}]'")


def test_doctor_survives_a_damaged_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> str:
        raise SystemError("initialisation of tensorrt failed\nwithout raising an exception")

    monkeypatch.setattr(doctor, "load_package", damaged)
    monkeypatch.setattr(doctor, "kernel_source", damaged)
    for name in ("kernels", "tensorrt", "tensorrt-rtx"):
        wanted = "no SystemError: initialisation of tensorrt failed without raising an exception; install its package again"
        assert doctor_rows(run)[name] == wanted


def test_version_and_help(run: Run) -> None:
    assert run("--version").lines == [f"ainet {ainet.__version__}"]
    help_text = "\n".join(run("--help").lines)
    assert all(command in help_text for command in ("segment", "export", "convert", "info", "doctor"))
    assert run("dance").code == 2
    assert run("segment", "a.png").code == 2  # -o is missing
