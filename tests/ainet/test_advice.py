"""Advice is for the case at hand."""

import gzip
from pathlib import Path

import pytest
from PIL import Image

import ainet
from ainet import Segmenter
from ainet.cli.options import needs
from ainet.errors import AINetError, DeviceError, ImageError, ModelError


def message_of(error: type[AINetError], model: Path, device: str = "cpu") -> str:
    with pytest.raises(error) as caught:
        Segmenter.load(model, device)
    return str(caught.value)


def test_what_is_no_model(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    (tmp_path / "weights.pth").touch()
    assert "is no model: name an ONNX file or engine" in message_of(ModelError, tmp_path / "a.png")
    assert "ainet export" not in message_of(ModelError, tmp_path / "a.png")
    assert f"make one with: ainet export {tmp_path}/weights.pth -o weights.onnx" in message_of(ModelError, tmp_path / "weights.pth")


def test_checkpoints_that_are_cut_off(tmp_path: Path, public_checkpoints: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    whole = public_checkpoints["scn"].read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "packed.tar.gz").write_bytes(gzip.compress(whole[:1000]))
    assert message_of(ModelError, tmp_path / "cut.tar", "torch").endswith("fetch it again")
    assert message_of(ModelError, tmp_path / "packed.tar.gz", "torch").endswith("is compressed; unpack it first")


def test_videos_and_text_as_images(tmp_path: Path) -> None:
    videos = [(f"clip.{kind}", "is a video, not an image") for kind in ("mp4", "ts", "MPG", "wmv", "flv", "3gp", "ogv")]
    for name, word in (*videos, ("page.txt", "convert it to PNG or JPEG")):
        (tmp_path / name).write_text("a line")
        with pytest.raises(ImageError, match=word):
            ainet.read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "needs the package cv2: pip install"),
        (ImportError("libGL.so.1: cannot open shared object file"), r"cannot be loaded \(libGL.so.1: .*pip install"),
        (ImportError("cannot import name 'x' from 'y'", name="y"), r"cannot be loaded \(cannot import name"),
    ],
)
def test_imports_that_fail(error: ImportError, words: str) -> None:
    with pytest.raises(DeviceError, match=words), needs("evaluation", "bench"):
        raise error
