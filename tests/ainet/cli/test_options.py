"""What commands share: checkpoints that cannot be read, wrong names of files, the version and the help."""

from pathlib import Path

import pytest
from support.command_line import Run, tree

import ainet
from ainet.models import BUNDLED, bundled


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
        ("a.png", "error: a.png is no model: "),
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "a.png", "-o", "out", "--model", "anet"],
        ["segment", "a.png", "-o", "out", "--model", "anet", "--device", "torch"],
        ["export", "anet", "-o", "x.onnx"],
        ["calibrate", "anet", "--images", ".", "-o", "x.onnx"],
        ["convert", "anet", "-o", "x.safetensors"],
        ["info", "anet"],
        ["build", "anet"],
        ["verify", "anet", "--images", "."],
        ["verify", "scn", "--against", "anet", "--images", "."],
        ["serve", "anet"],
    ],
    ids=" ".join,
)
def test_an_unknown_model_name_is_answered_with_the_known_ones(run: Run, arguments: list[str]) -> None:
    pytest.importorskip("torch")
    result = run(*arguments)
    assert (result.code, len(result.errors)) == (1, 1)
    assert result.errors[0].endswith("'anet': name a file, or one of the bundled ainet, ainet-lite, scn")
    assert tree(".") == ["a.png", "b.jpg"]


def test_bundled_weights_are_named_wherever_a_model_is(run: Run) -> None:
    pytest.importorskip("torch")
    from ainet.training.checkpoint import load_checkpoint

    for name in BUNDLED:
        assert ["network", name] in [line.split() for line in run("info", name).lines]
    assert run("convert", "ainet-lite", "-o", "lite.safetensors").code == 0
    ours, shipped = load_checkpoint("lite.safetensors"), load_checkpoint(bundled("ainet-lite.safetensors"))
    assert shipped.merging is not None and ours.merging is not None  # what exact counts need goes along
    for part in ("network", "merging"):
        state = getattr(ours, part).state_dict()
        assert state
        for key, value in getattr(shipped, part).state_dict().items():
            assert (state[key] == value).all(), key


def test_version_and_help(run: Run) -> None:
    assert run("--version").lines == [f"ainet {ainet.__version__}"]
    help_text = "\n".join(run("--help").lines)
    assert all(command in help_text for command in ("segment", "export", "convert", "info", "doctor"))
    assert run("dance").code == 2
    assert run("segment", "a.png").code == 2  # -o is missing
