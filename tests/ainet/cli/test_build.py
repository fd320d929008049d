"""`ainet build`: what it refuses, in one line each; what it builds is in `tests/export/test_engine.py`."""

import sys
from pathlib import Path

import pytest
from support.command_line import Run, refused

from ainet.models import bundled


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["model.onnx", "-o", "model.plan"], 2, "cannot build 'model.plan': the name must end in .engine"),
        (["gone.onnx"], 1, "cannot read gone.onnx: No such file or directory; make a model with: ainet export CHECKPOINT -o model.onnx"),
        (["a.png"], 1, "a.png is not a whole ONNX file; make one with: ainet export CHECKPOINT -o model.onnx"),
        (["model.onnx", "--size", "321x480"], 2, "the height 321 of size '321x480' is not a multiple of 16; the nearest is 320"),
        (["model.onnx", "--size", "640x640..320x320"], 2, "the size '640x640..320x320' runs backwards"),
        (["model.onnx", "--size", "64x64", "--size", "1x64x64"], 2, "the size '1x64x64' is named twice"),
        (["model.onnx", "--target", "sm90"], 2, "unknown target 'sm90'; tensorrt-rtx "),
        (["model.onnx", "--package", "trt"], 2, "unknown TensorRT package 'trt'; choose one of tensorrt, tensorrt-rtx"),
    ],
)
def test_wrong_builds(run: Run, arguments: list[str], code: int, message: str) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    Path("model.onnx").symlink_to(bundled("ainet.onnx"))
    package = [] if "--package" in arguments else ["--package", "tensorrt-rtx"]
    assert refused(run, "build", *arguments, *package, code=code).startswith(f"error: {message}")


def test_a_build_without_tensorrt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    for module in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
    error = refused(run, "build", bundled("ainet.onnx"), "-o", "x.engine")
    assert error == "error: no TensorRT is installed: pip install 'ainet-toolkit[tensorrt-rtx]', or [tensorrt]"
