"""Engines on the command line: those that run, and every one that cannot: a line each, an exit code, nothing written."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command_line import Run, refused
from support.cuda_emulator import Emulator
from support.engine_host import CONTENT, VERSIONS, Host

from ainet.errors import DeviceError
from ainet.models import bundled
from ainet.runtime import tensorrt_api as packages
from ainet.runtime.cuda.devices import find_devices
from ainet.runtime.engine_file import sidecar

pytestmark = pytest.mark.slow

SEGMENT = ("segment", "a.png", "-o", "out", "--model", "model.engine", "--quality", "fast")


@pytest.fixture
def host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A machine on which `model.engine` runs."""
    return Host(folder, monkeypatch, VERSIONS[-1])


@pytest.mark.gpu
def test_an_engine_that_runs(run: Run, host: Host, emulator: Emulator) -> None:
    for device in ("auto", "tensorrt", "tensorrt:0"):
        result = run(*SEGMENT, "-n", "12", "--device", device)
        assert (result.code, result.errors) == (0, [])
        assert result.lines[-1] == f"1 of 1 inputs segmented into out on tensorrt {VERSIONS[-1]} (CUDA 0)"
        assert np.load("out/a.npy").max() > 3
    assert emulator.allocations() == 0


@pytest.mark.gpu
def test_an_engine_for_another_gpu_or_version(run: Run, host: Host, emulator: Emulator) -> None:
    sidecar(host.path).write_text(replace(host.info, compute_capabilities=("sm86",)).to_json())
    error = refused(run, *SEGMENT)
    assert error.startswith("error: model.engine was built for another machine (compute capability is sm86, this GPU has sm90);")
    assert error.endswith("; build it here with: ainet build MODEL.onnx -o model.engine --size 1x16x16..2x64x96 --size 32x48")
    host.package.api.__version__ = "10.0.1"
    assert f"(version is {VERSIONS[-1]}, here it is 10.0.1; compute capability is" in refused(run, *SEGMENT)


@pytest.mark.parametrize("content", [CONTENT[:-1], np.random.default_rng(0).bytes(5000), b"not a plan"])
def test_a_truncated_or_random_plan(run: Run, host: Host, content: bytes) -> None:
    host.path.write_bytes(content)
    assert refused(run, *SEGMENT).startswith("error: model.engine is damaged or not the engine of its sidecar: plan_sha256 is ")
    host.runtime.deserialize_cuda_engine.assert_called_once_with()  # by the stand-in itself


def test_an_empty_plan(run: Run, host: Host) -> None:
    host.path.write_bytes(b"")
    assert refused(run, *SEGMENT).startswith("error: model.engine is not a model: it is empty")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            Path.unlink,
            "no readable sidecar at model.engine.json; copy it along with model.engine, or build both again with: ainet build "
            "MODEL.onnx -o model.engine",
        ),
        (
            lambda path: path.write_text("{}"),
            "model.engine.json is not a whole sidecar of an engine; build the engine again with: ainet build MODEL.onnx",
        ),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no readable sidecar at model.engine.json"),
    ],
)
def test_a_missing_or_damaged_sidecar(run: Run, host: Host, damage: Callable[[Path], object], message: str) -> None:
    damage(sidecar(host.path))
    for command in (SEGMENT, ("info", "model.engine"), ("verify", "model.engine", "--images", ".", "--device", "tensorrt")):
        assert refused(run, *command).startswith(f"error: {message}")


@pytest.mark.gpu
def test_a_shape_outside_the_profiles(run: Run, host: Host, emulator: Emulator) -> None:
    error = refused(run, *SEGMENT, "-n", "300")
    assert error.startswith("error: a.png: the engine takes inputs of 1x16x16..2x64x96, 32x48 (batch x height x width), not 1x240x320; ")
    assert error.endswith("build one that takes it too with: ainet build MODEL.onnx --size 1x16x16..2x64x96 --size 32x48 --size 240x320")


@pytest.mark.gpu
def test_a_gpu_with_too_little_memory(run: Run, host: Host, emulator: Emulator) -> None:
    emulator.set_capacity(10_000)
    assert refused(run, *SEGMENT, "-n", "12").startswith("error: a.png: GPU 0 is out of memory")


@pytest.mark.gpu
def test_a_gpu_that_fails(run: Run, host: Host, emulator: Emulator) -> None:
    emulator.fail_launch(0)
    assert refused(run, *SEGMENT, "-n", "12").startswith("error: a.png: GPU 0 cannot be used (CUDA_ERROR_LAUNCH_FAILED)")


def test_an_engine_on_a_device_that_does_not_run_it(run: Run, host: Host) -> None:
    for device in ("cpu", "openvino", "cuda"):
        error = refused(run, *SEGMENT, "--device", device, code=2)
        assert error == f"error: model.engine is a TensorRT engine, which device '{device}' does not run; choose tensorrt or tensorrt:N"
    assert refused(run, *SEGMENT, "--device", "torch").startswith("error: refused model.engine")


def test_device_tensorrt_without_an_engine(run: Run) -> None:
    model = bundled("ainet-lite.onnx")
    error = refused(run, "segment", "a.png", "-o", "out", "--device", "tensorrt")
    assert error == f"error: device 'tensorrt' runs engine files, not {model}; make one with: ainet build {model}"
    error = refused(run, "segment", "a.png", "-o", "out", "--device", "tensorrt", "--model", "gone.engine")
    assert error == "error: no model file at gone.engine; make one with: ainet export CHECKPOINT -o gone.engine"


def test_device_tensorrt_without_tensorrt(run: Run, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainet.runtime.backends.tensorrt.load_package", packages.load_package)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    for command in (SEGMENT, (*SEGMENT, "--device", "tensorrt"), ("verify", "model.engine", "--images", ".", "--device", "tensorrt")):
        error = refused(run, *command)
        assert error.startswith("error: TensorRT package 'tensorrt' cannot be used (")
        assert error.endswith("): pip install 'ainet-toolkit[tensorrt]'")
    error = refused(run, "verify", "model.engine", "--images", ".")
    assert error == "error: no device works here for model.engine; see what is missing with: ainet doctor"


def test_device_tensorrt_without_a_gpu(run: Run, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        find_devices()
        pytest.skip("this machine has a GPU")
    except DeviceError:
        monkeypatch.undo()
    monkeypatch.chdir(host.path.parent)
    monkeypatch.setattr("ainet.runtime.backends.tensorrt.load_package", lambda name: host.package)
    error = refused(run, *SEGMENT)
    assert error.startswith(("error: no usable NVIDIA GPU (", "error: using the GPU needs cuda-core"))
