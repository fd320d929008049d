"""`ainet info`."""

import shutil
from pathlib import Path

import pytest
from support.command_line import Run, refused

from ainet.models import bundled
from ainet.runtime.engine_file import EngineInfo, Profile, sidecar
from ainet.runtime.model import ModelInfo
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


def test_what_is_no_model(run: Run, tmp_path: Path) -> None:
    """Is not to be got anew from the authors of a model, by whichever command."""
    pytest.importorskip("torch")
    shutil.copy(bundled("scn.onnx"), "bare")
    shutil.copy("b.jpg", "c.pt")
    Path("page.bin").write_text("<html>")
    for command in (("info",), ("export", "-o", "x.onnx"), ("convert", "-o", "x.safetensors")):
        assert "bare is an ONNX file under another suffix; rename it to bare.onnx" in refused(run, command[0], "bare", *command[1:])
        assert "b.jpg is no model: name a model file, or one of ainet, ainet-lite, scn" in refused(run, command[0], "b.jpg", *command[1:])
    assert "c.pt" in refused(run, "info", "c.pt")
    assert "web page" in refused(run, "info", "page.bin")
    assert "is a folder" in refused(run, "info", tmp_path)
    assert f"{tmp_path} is a folder; name the file" in refused(run, "segment", "a.png", "-o", "out", "--model", tmp_path)


def test_info_says_its_error_once(tmp_path: Path, run: Run) -> None:
    (tmp_path / "x.onnx").write_bytes(bundled("scn.onnx").read_bytes()[:5000])
    result = run("info", tmp_path / "x.onnx")
    assert (result.code, len(result.errors)) == (1, 1)
    assert "x.onnx" in result.errors[0]
