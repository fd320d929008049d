"""The folder for the Hugging Face Hub: its files run, its card parses, and nothing is left of what fails."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from support.paths import PHOTOS
from typer.testing import CliRunner

import ainet
from ainet.calibration.images import choose_images
from ainet.calibration.quantise import Calibration, save_model
from ainet.cli import app
from ainet.errors import ModelError, OutputError, UsageError
from ainet.export.graph import cell_ids
from ainet.export.hub import write_hub
from ainet.export.model_file import read_model
from ainet.export.whole import load_whole
from ainet.models import DEFAULT, INT8, bundled, bundled_checkpoint
from ainet.spec import MEAN
from ainet.training.checkpoint import Checkpoint, load_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(bundled("ainet-lite.safetensors"))


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "lite-int8.onnx"
    photo = Image.open(PHOTOS / "chelsea.jpg")
    crops = [path.parent / f"{left}.png" for left in (0, 100, 200, 300)]
    for left, crop in zip((0, 100, 200, 300), crops, strict=True):
        photo.crop((left, 40, left + 96, 136)).save(crop)
    save_model(Calibration(load_whole(bundled("ainet-lite.onnx")), choose_images(crops, 4)).model(), path)
    return path


@pytest.fixture(scope="module")
def folder(int8: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line writes."""
    folder = tmp_path_factory.mktemp("hub") / "lite"
    result = CliRunner().invoke(app, ["export", str(bundled("ainet-lite.safetensors")), "--hub", str(folder), "--int8", str(int8)])
    assert result.exit_code == 0, result.output
    return folder


def test_the_models_run_and_agree(folder: Path) -> None:
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "README.md",
        "config.json",
        "onnx/model.onnx",
        "onnx/model_fp16.onnx",
        "onnx/model_int8.onnx",
    ]
    photo = ainet.read_image(PHOTOS / "chelsea.jpg")[:160, :240]
    config = json.loads((folder / "config.json").read_text())
    assert (config["input_type"], config["input_layout"]) == ("float32", "NCHW")
    image = photo * np.float32(config["rescale_factor"]) - np.float32(config["image_mean"])
    cells = {}
    for precision, name in config["files"].items():
        session = onnxruntime.InferenceSession(folder / name)
        (logits,) = session.run([config["output"]], {"image": image.transpose(2, 0, 1)[None].astype(np.float32)})
        assert logits.shape == (1, config["neighbours"], 160, 240)
        cells[precision] = logits.argmax(1)
    assert (cells["fp16"] == cells["fp32"]).mean() > 0.99
    assert (cells["int8"] == cells["fp32"]).mean() > 0.9
    with ainet.Segmenter.load(folder / "onnx/model.onnx", "cpu") as ours, ainet.Segmenter.load("ainet-lite", "cpu") as expected:
        np.testing.assert_array_equal(ours(photo, 60), expected(photo, 60))


def test_cell_ids_take_pixels_as_they_are(folder: Path, tmp_path: Path) -> None:
    """The bundled INT8 model gives logits, and so is left out, with a word."""
    torch = pytest.importorskip("torch")
    result = CliRunner().invoke(app, ["export", "ainet-lite", "--hub", str(tmp_path / "new"), "--output", "labels"])
    assert result.exit_code == 0, result.output
    assert "no INT8 model is in it, as the bundled one gives logits, not labels" in " ".join(result.output.split())
    config = json.loads((tmp_path / "new/config.json").read_text())
    assert set(config["files"]) == {"fp32", "fp16"}
    assert (config["input_type"], config["input_layout"]) == ("uint8", "NHWC")
    assert not {"image_mean", "image_std", "rescale_factor"} & set(config)
    photo = ainet.read_image(PHOTOS / "chelsea.jpg")[:160, :240]
    image = (photo / np.float32(255) - np.float32(MEAN)).transpose(2, 0, 1)[None]
    (ids,) = onnxruntime.InferenceSession(tmp_path / "new/onnx/model.onnx").run(["labels"], {"image": photo[None]})
    (logits,) = onnxruntime.InferenceSession(folder / "onnx/model.onnx").run(["logits"], {"image": image})
    assert (ids == cell_ids(torch.from_numpy(logits)).numpy()).mean() > 0.9999


def test_precisions_of_the_weights(folder: Path) -> None:
    """Of the network; the head of the border map stays in float32."""
    weights = {name: onnx.load(folder / f"onnx/{name}.onnx").graph.initializer for name in ("model", "model_fp16", "model_int8")}
    types = {
        name: {tensor.data_type for tensor in tensors if len(tensor.dims) == 4 and not tensor.name.startswith("head.")}
        for name, tensors in weights.items()
    }
    kinds = onnx.TensorProto
    assert (types["model"], types["model_fp16"]) == ({kinds.FLOAT}, {kinds.FLOAT, kinds.FLOAT16})
    assert kinds.INT8 in types["model_int8"]


def test_the_card(folder: Path, checkpoint: Checkpoint) -> None:
    text = (folder / "README.md").read_text()
    assert text.startswith("---\nlicense: other\n")
    for name in ("model.onnx", "model_fp16.onnx", "model_int8.onnx"):
        assert f"| `onnx/{name}` |" in text
    channels = onnx.load(folder / "onnx/model_int8.onnx").graph.output[1].type.tensor_type.shape.dim[3].dim_value
    assert f"`onnx/model_fp16.onnx`, `onnx/model_int8.onnx`: float32 (N, H/2, W/2, {channels})" in text
    assert "To be filled in" in text  # the terms of a checkpoint that the user names are not known
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: pip install huggingface_hub")
    data = hub.ModelCard(text).data
    assert (data.license, data.library_name, data.pipeline_tag, data.tags) == (
        "other",
        "onnx",
        "image-segmentation",
        ["superpixels", "onnx"],
    )


def test_the_bundled_int8_model_is_of_the_bundled_checkpoint() -> None:
    """So that `ainet export --hub`, without a checkpoint, can lay it beside the others."""
    _, info = read_model(bundled(DEFAULT + INT8))
    assert (info.precision, info.output) == ("int8", "logits")
    assert info.checkpoint_sha256 == load_checkpoint(bundled_checkpoint()).sha256


def test_what_does_not_fit_leaves_nothing(checkpoint: Checkpoint, int8: Path, folder: Path, tmp_path: Path) -> None:
    for model, message in ((bundled("ainet-lite.onnx"), "precision is 'fp32' there"), (tmp_path / "gone.onnx", "gone.onnx")):
        with pytest.raises(ModelError, match=message):
            write_hub(checkpoint, tmp_path / "new", int8=model)
    with pytest.raises(ModelError, match="checkpoint_sha256"):
        write_hub(load_checkpoint(bundled("ainet.safetensors")), tmp_path / "new", int8=int8)
    with pytest.raises(UsageError, match="output 'cells'"):
        write_hub(checkpoint, tmp_path / "new", output="cells")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match="there already"):
        write_hub(checkpoint, folder)


@pytest.mark.parametrize(
    "arguments", [["--hub", "new", "-o", "x.onnx"], ["--hub", "new", "--precision", "fp16"], ["-o", "x.onnx", "--int8", "y"]]
)
def test_options_that_contradict(arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(CliRunner().invoke(app, ["export", *arguments]).exception, UsageError)
    assert not list(tmp_path.iterdir())
