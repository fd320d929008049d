"""`ainet doctor`."""

import sys
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest
from support.command_line import Run

from ainet.cli import doctor
from ainet.runtime.cuda.devices import GpuInfo
from ainet.runtime.tensorrt_api import TensorRtPackage


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
    gpus = [GpuInfo("NVIDIA H200", "sm90", "13.0"), GpuInfo("NVIDIA GeForce RTX 5090", "sm120", "13.0")]
    monkeypatch.setattr(doctor, "find_devices", lambda: gpus)
    monkeypatch.setattr(doctor, "load_package", lambda name: TensorRtPackage(name, SimpleNamespace(__version__="11.4.0.106"), None))
    rows = doctor_rows(run)
    assert rows["NVIDIA"] == "yes NVIDIA H200 (sm90), NVIDIA GeForce RTX 5090 (sm120); driver for CUDA 13.0"
    assert rows["tensorrt"] == "yes tensorrt 11.4.0.106, builds for the GPU of this machine"


def test_doctor_says_what_is_missing_for_gpus(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cuda.core", "tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
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
