"""`ainet verify`: what passes, what fails, and what it cannot compare."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import Run, tree
from support.tolerances import tolerance

from ainet.models import bundled, bundled_checkpoint
from ainet.runtime.backends import Backend, open_backend
from ainet.torch_backend import open_torch

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from ainet.export.whole import load_whole  # noqa: E402  # needs onnx

pytestmark = pytest.mark.slow

MODEL = bundled("ainet.onnx")
SMALL = ("--images", ".", "-n", "12", "--device", "cpu")  # for images of 48 x 64


def altered(change: Callable[[np.ndarray], None], path: str = "altered.onnx") -> str:
    """The bundled model with the last weights before its logits changed in place."""
    model = load_whole(MODEL)
    last = next(node for node in model.graph.node if "logits" in node.output)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == last.input[1])
    values = onnx.numpy_helper.to_array(tensor).copy()
    change(values)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)
    return path


def test_a_good_model_on_all_devices(run: Run) -> None:
    result = run("verify", MODEL, "--images", ".", "-n", "12", "--json", "new/parity.json")
    assert (result.code, result.errors) == (0, [])
    assert result.lines[0].split() == ["model", "precision", "output", "device", "arg-max", "Q", "NaN", "ASA", "BR", "BP", "CO", "result"]
    assert result.lines[1].startswith("ainet.onnx  fp32       logits  ONNX Runtime (CPU)  100.000%  ")
    assert result.lines[1].endswith("  pass")
    assert result.lines[-2].split() == ["bounds", "fp32", ">=99.99%", "<=0.001", "0", "+-0.0001", "+-0.0001", "+-0.0001", "+-0.0001"]
    assert result.lines[-1] == "passed: 2 images, 0 of BSDS500 val, 12 superpixels"
    report = json.loads(Path("new/parity.json").read_text())
    assert (report["network"], report["superpixels"], report["images"], report["bsds_images"]) == ("ainet", 12, 2, 0)
    assert report["bounds"]["fp32"]["argmax"] == 0.9999
    devices = [row["device"] for row in report["rows"]]
    assert devices[0] == "ONNX Runtime (CPU)"
    assert len(set(devices)) == len(devices) == len(result.lines) - 3
    for row in report["rows"]:
        assert (row["argmax"], row["nan"], row["differences"], row["failures"]) == (1.0, 0, {}, [])
        assert 0 < row["q"] < 1e-4


def test_models_of_two_outputs_and_precisions(run: Run) -> None:
    pytest.importorskip("onnxscript")
    assert run("export", bundled_checkpoint("ainet"), "-o", "half.onnx", "--precision", "fp16", "--output", "labels").code == 0
    result = run("verify", "half.onnx", MODEL, *SMALL, "--json", "parity.json")
    assert result.errors == []
    rows = json.loads(Path("parity.json").read_text())["rows"]
    assert [(row["precision"], row["output"]) for row in rows] == [("fp16", "labels"), ("fp32", "logits")]
    assert (rows[0]["q"], rows[0]["failures"]) == (None, [])
    assert rows[0]["argmax"] >= tolerance("float16", "cpu").cells
    assert (rows[1]["argmax"], rows[1]["failures"]) == (1.0, [])


def test_superpixels_of_bsds500(run: Run, shared: Path) -> None:
    bsds = ("--bsds", shared / "bsds500", "--limit", "1")
    result = run("verify", MODEL, *SMALL, *bsds, "--json", "good.json")
    assert (result.code, result.lines[-1]) == (0, "passed: 1 images, 1 of BSDS500 val, 12 superpixels")
    (row,) = json.loads(Path("good.json").read_text())["rows"]
    assert row["differences"] == pytest.approx({"asa": 0, "br": 0, "bp": 0, "co": 0}, abs=1e-4)


def test_a_bad_model_fails(run: Run) -> None:
    def swap_two_neighbours(weights: np.ndarray) -> None:
        weights[[3, 5]] = weights[[5, 3]]

    result = run("verify", altered(swap_two_neighbours), *SMALL, "--json", "parity.json")
    assert (result.code, result.errors) == (1, [])
    assert [line for line in result.lines if line.endswith("  FAIL: argmax, q")]
    assert result.lines[-1].startswith("failed: ")
    (row,) = json.loads(Path("parity.json").read_text())["rows"]
    assert row["argmax"] < 0.9
    assert row["failures"] == ["argmax", "q"]


def test_nan_fails(run: Run) -> None:
    def spoil(weights: np.ndarray) -> None:
        weights[4] = np.nan

    result = run("verify", altered(spoil), *SMALL, "--json", "parity.json")
    assert result.code == 1
    assert result.errors[0].startswith("error: altered.onnx has NaN or infinite values in its weights 'network.pred_mask0.weight'")
    assert not Path("parity.json").exists()


def test_another_checkpoint(run: Run, public_checkpoints: dict[str, Path]) -> None:
    result = run("verify", MODEL, *SMALL, "--against", public_checkpoints["scn"], "--json", "x.json")
    assert result.code == 1
    assert result.errors[0].startswith(
        f"error: ainet.onnx (ainet) was exported from another checkpoint than {public_checkpoints['scn']} (scn)"
    )
    assert result.errors[0].endswith("; name the right one with --against")
    model = load_whole(MODEL)
    entries = json.loads(model.metadata_props[0].value)
    onnx.helper.set_model_props(model, {"ainet": json.dumps({**entries, "checkpoint_sha256": "0" * 64})})
    onnx.save(model, "other.onnx")
    result = run("verify", "other.onnx", *SMALL)
    assert result.code == 1
    assert "other.onnx (ainet) was exported from another checkpoint than " in result.errors[0]
    assert "SHA-256 is 000000000000..., not " in result.errors[0]
    assert tree(".") == ["a.png", "b.jpg", "other.onnx"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([MODEL, "--images", "empty"], 1, "the folder empty holds no images; known are .apng"),
        ([MODEL, "--images", "gone"], 2, "no folder gone; name a folder of images"),
        ([MODEL, "--images", "a.png"], 2, "no folder a.png; name a folder of images"),
        ([MODEL, *SMALL, "-n", "3"], 2, "n_segments=3 is out of range: choose 4 to a quarter of the image's pixels"),
        ([MODEL, *SMALL, "-n", "769"], 2, "a.png: n_segments=769 is out of range: choose 4 to 768"),
        ([MODEL, *SMALL, "--device", "gpu"], 2, "unknown device 'gpu'; choose auto, cpu"),
        ([MODEL, *SMALL, "--device", "torch:cuda"], 2, "device 'torch:cuda' is what models are compared with; choose cpu"),
        ([MODEL, "--images", ".", "--device", "cuda:99"], 1, ""),
        ([MODEL, *SMALL, "--bsds", "empty"], 2, "no image of BSDS500 'val' in empty; expected"),
        ([MODEL, *SMALL, "--against", "gone.tar"], 1, "cannot read checkpoint gone.tar: No such file or directory; check the path"),
        ([MODEL, *SMALL, "--against", "a.png"], 1, "refused a.png"),
        (["gone.onnx", *SMALL], 1, "no model file at gone.onnx; make one with: ainet export CHECKPOINT -o gone.onnx"),
        (["cut.onnx", *SMALL], 1, "cannot load cut.onnx"),
        (["cut.onnx", "--images", "."], 1, "cannot load cut.onnx"),
        ([MODEL, "--images", "damaged", "--device", "cpu"], 1, "damaged/cut.png is damaged or cut off"),
    ],
)
def test_what_cannot_be_compared(run: Run, arguments: list[str], code: int, message: str) -> None:
    Path("empty").mkdir()
    Path("damaged").mkdir()
    Path("damaged/cut.png").write_bytes(Path("a.png").read_bytes()[:-300])
    Path("cut.onnx").write_bytes(MODEL.read_bytes()[:5000])
    before = tree(".")
    result = run("verify", *arguments, "--json", "x.json")
    assert (result.code, len(result.errors)) == (code, 1)
    assert result.errors[0].startswith(f"error: {message}")
    assert tree(".") == before


@pytest.mark.parametrize(
    ("arguments", "code", "count"),
    [
        ([MODEL, *SMALL], 0, 2),
        ([MODEL, MODEL, *SMALL], 0, 3),
        ([MODEL, *SMALL, "--device", "cuda:99"], 1, 1),
        ([MODEL, *SMALL, "--against", bundled("scn.safetensors")], 1, 2),
        ([MODEL, *SMALL, "-n", "769"], 2, 2),
    ],
)
def test_what_was_opened_is_closed(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, count: int) -> None:
    opened, closed = [], []

    def noting(opener: Callable[..., Backend]) -> Callable[..., Backend]:
        def open_it(*arguments: object) -> Backend:
            backend = opener(*arguments)
            close = backend.close
            monkeypatch.setattr(backend, "close", lambda: closed.append(backend) or close())
            opened.append(backend)
            return backend

        return open_it

    monkeypatch.setattr("ainet.runtime.backends.open_backend", noting(open_backend))
    monkeypatch.setattr("ainet.torch_backend.open_torch", noting(open_torch))
    assert run("verify", *arguments).code == code
    assert len(opened) == count
    assert closed == opened[::-1]


def test_hidden_files_and_other_files_are_not_compared(run: Run) -> None:
    Path("photos/deep").mkdir(parents=True)
    shutil.copy("a.png", "photos/deep/a.png")
    shutil.copy("b.jpg", "photos/deep/a.jpg")  # of one name, which is no contradiction here
    Path("photos/._a.png").write_bytes(b"no image")
    Path("photos/clip.mp4").write_bytes(b"no image")
    result = run("verify", MODEL, "--images", "photos", "-n", "12", "--device", "cpu")
    assert (result.code, result.lines[-1]) == (0, "passed: 2 images, 0 of BSDS500 val, 12 superpixels")
    Image.open("a.png").crop((0, 0, 20, 20)).save("photos/small.png")
    result = run("verify", MODEL, "--images", "photos", "--device", "cpu")
    assert (result.code, len(result.errors)) == (2, 1)
    assert result.errors[0].startswith("error: photos/")
