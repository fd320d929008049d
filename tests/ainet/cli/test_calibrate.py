"""`ainet calibrate`: from photos to a model that every other command takes, and input that cannot do."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import FAST, Run, tree
from support.paths import PHOTOS

from ainet.errors import ModelError
from ainet.export.whole import load_whole
from ainet.models import bundled

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder "photos" of four crops; 48 superpixels each."""
    monkeypatch.setattr("ainet.calibration.images.SEGMENTS", 48)
    Path("photos").mkdir()
    photo = Image.open(PHOTOS / "chelsea.jpg")
    for number in range(4):
        photo.crop((60 * number, 50, 60 * number + 128, 146)).save(f"photos/{number}.png")
    return Path("photos")


def test_calibrate_and_use(run: Run, photos: Path) -> None:
    result = run("calibrate", "-o", "new/x.onnx", "--images", photos, "--report", "new/report.json", "--max-asa-drop", "0.5")
    assert result.code == 0, result.errors
    assert tree("new") == ["report.json", "report.svg", "x.onnx"]
    report = json.loads(Path("new/report.json").read_text())
    assert len(report["alone"]) == 22  # 19 of the network, 3 of the border map
    assert [line.split()[0] for line in result.lines[1:23]] == list(report["alone"])
    assert result.lines[-1].startswith("new/x.onnx: ainet-lite, int8 with fp32, ")
    assert f"{len(report['float_layers'])} of 22 layers in float" in result.lines[-1]
    assert ["precision", "int8"] in [line.split() for line in run("info", "new/x.onnx").lines]
    assert run("segment", "a.png", "-o", "out", "--model", "new/x.onnx", *FAST).code == 0
    assert np.load("out/a.npy").shape == (48, 64)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "x.pt", "--images", "photos"], 2, "cannot calibrate to 'x.pt': the name must end in .onnx"),
        (["-o", "x.onnx"], 2, "no calibration images: name a folder with --images, or BSDS500 with --bsds"),
        (["-o", "x.onnx", "--images", "none"], 2, "no folder none"),
        (["-o", "x.onnx", "--images", "empty"], 1, "the folder empty holds no images"),
        (["-o", "x.onnx", "--images", "black"], 2, "none of the 4 calibration images shows anything"),
        (["-o", "x.onnx", "--images", "photos", "--count", "1"], 2, "1 calibration images are too few"),
        (["-o", "x.onnx", "--images", "photos", "--report", "x.txt"], 2, "cannot write the report 'x.txt'"),
        (["-o", "x.onnx", "--bsds", "none"], 2, "no folder none/images/train"),
        (
            [bundled("ainet.onnx"), "-o", "x.onnx", "--images", "photos"],
            1,
            f"{bundled('ainet.onnx')} is an ONNX model already; name a checkpoint",
        ),
        (["photos/0.png", "-o", "x.onnx", "--images", "photos"], 1, "photos/0.png is no model: "),
    ],
)
def test_wrong_input(run: Run, photos: Path, arguments: list[str], code: int, message: str) -> None:
    Path("empty").mkdir()
    Path("black").mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64)).save(f"black/{number}.png")
    before = tree(".")
    result = run("calibrate", *arguments)
    assert (result.code, len(result.errors)) == (code, 1)
    assert result.errors[0].startswith(f"error: {message}")
    assert tree(".") == before


def test_a_target_out_of_reach_leaves_no_file(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_reach(*_: object) -> None:
        raise ModelError("INT8 cannot stay within")

    monkeypatch.setattr("ainet.calibration.quantise.exported", lambda *_: load_whole(bundled("ainet.onnx")))
    monkeypatch.setattr("ainet.calibration.sensitivity.keep_boundaries", out_of_reach)
    before = tree(".")
    result = run("calibrate", "-o", "x.onnx", "--images", photos, "--report", "report.json")
    assert (result.code, result.errors) == (1, ["error: INT8 cannot stay within"])
    assert tree(".") == before
