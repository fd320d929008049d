"""Advice is for the case at hand."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

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
    assert message_of(ModelError, tmp_path / "packed.tar.gz", "torch").endswith("is packed; unpack it first")


def test_videos_and_text_as_images(tmp_path: Path) -> None:
    videos = [(f"clip.{kind}", "is a video, not an image") for kind in ("mp4", "ts", "MPG", "wmv", "flv", "3gp", "ogv")]
    for name, word in (*videos, ("page.txt", "convert it to PNG or JPEG")):
        (tmp_path / name).write_text("a line")
        with pytest.raises(ImageError, match=word):
            ainet.read_image(tmp_path / name)


def test_images_that_are_whole_are_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.new("RGB", (64, 48), (200, 100, 50))
    inks = picture.convert("CMYK")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    inks.save(tmp_path / "of RGB.jpg", icc_profile=srgb)
    inks.save(tmp_path / "junk.tif", icc_profile=b"junk")
    picture.save(tmp_path / "drawn.eps")
    monkeypatch.setenv("PATH", "")  # on which Ghostscript may be
    for name, words in {
        "of RGB.jpg": r"CMYK colours, and its profile is of others .*: magick 'of RGB\.jpg' -colorspace sRGB",
        "junk.tif": r"CMYK colours, and its profile is of others or damaged; .*: magick junk\.tif ",
        "drawn.eps": "needs Ghostscript.*convert it to PNG",
    }.items():
        with pytest.raises(ImageError, match=words):
            ainet.read_image(tmp_path / name)
    with pytest.raises(ImageError, match="magick FILE -colorspace sRGB"):
        ainet.read_image(inks)


def test_files_that_are_closed(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "x.png")
    content, picture = io.BytesIO((tmp_path / "x.png").read_bytes()), Image.open(tmp_path / "x.png")
    with (tmp_path / "x.png").open("rb") as file:
        pass
    for closed in (content, picture, file):
        closed.close()
        with pytest.raises(ImageError, match=r"is closed .*open it again"):
            ainet.read_image(closed)


def test_tiff_files_that_need_imagecodecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP, of which Pillow's libtiff may know nothing; and 10 bits: the tags are those of such files, the content is never reached."""
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    for name, code, kind, value in (("webp", 259, 3, 50001), ("bits", 258, 3, 10)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((48, 64), np.uint8 if name == "webp" else np.uint16))
        with tifffile.TiffFile(tmp_path / f"{name}.tif", mode="r+b") as file:
            file.pages[0].tags[code].overwrite(value, dtype=kind)
        with pytest.raises(DeviceError, match=r"pip install 'ainet-toolkit\[tiff\]'"):
            ainet.read_image(tmp_path / f"{name}.tif", stretch="none")


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
