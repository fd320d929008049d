"""Image files and arrays: what is read, equal to OpenCV, and what is refused, in words that name the file."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features
from support.pngs import png_header

import ainet
from ainet.errors import ImageError
from ainet.images import as_rgb

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"
RAMP = (np.add.outer(np.arange(40), np.arange(50))[:, :, None] * np.array([2, 1, 2.5])).astype(np.uint8)  # (40, 50, 3)


def opencv(path: Path) -> NDArray[np.uint8]:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def test_decodes_as_opencv_does(shared: Path) -> None:
    """The public code reads with OpenCV, so every pixel of its benchmark must be the same."""
    files = sorted((shared / "bsds500/images/val").glob("*.jpg"))[::8]
    assert len(files) >= 10
    for file in [*files, *PHOTOS.glob("*.jpg")]:
        np.testing.assert_array_equal(ainet.read_image(file), opencv(file), err_msg=file.name)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm"])
def test_lossless_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(RAMP).save(path, **({"lossless": True} if suffix == "webp" else {}))
    image = ainet.read_image(str(path))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, RAMP)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_colour_modes(tmp_path: Path, mode: str) -> None:
    """Grey is repeated, a palette looked up, alpha dropped."""
    picture = Image.fromarray(RAMP).convert(mode)
    if mode in ("LA", "RGBA"):
        picture.putalpha(Image.fromarray(RAMP[:, :, 0]))
    picture.save(tmp_path / "x.png")
    grey = np.asarray(Image.fromarray(RAMP).convert("L"))
    expected = {
        "1": lambda: np.asarray(Image.fromarray(RAMP).convert("1")).astype(np.uint8)[:, :, None].repeat(3, 2) * 255,
        "L": lambda: grey[:, :, None].repeat(3, 2),
        "LA": lambda: grey[:, :, None].repeat(3, 2),
        "P": lambda: np.array(picture.getpalette("RGB")).reshape(-1, 3)[np.asarray(picture)],  # type: ignore[union-attr]
        "RGBA": lambda: RAMP,
    }[mode]()
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.png"), expected)


TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x.transpose(1, 0, 2)[:, ::-1],
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: x.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RAMP).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.png"), TURNS[orientation](RAMP))
    Image.fromarray(RAMP).save(tmp_path / "x.jpg", exif=exif)
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.jpg"), opencv(tmp_path / "x.jpg"))


def encoded(suffix: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(RAMP).save(stream, suffix, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(np.repeat(np.frombuffer(data, np.uint8), 2))[::2]])
def test_content_in_memory(kind: Callable[[bytes], Any]) -> None:
    """A view of every second byte too."""
    np.testing.assert_array_equal(ainet.read_image(kind(encoded("png"))), RAMP)


@pytest.mark.parametrize("suffix", ["jpeg", "png", "webp", "bmp", "ppm"])
def test_truncated_files(tmp_path: Path, suffix: str) -> None:
    data = encoded(suffix)
    path = tmp_path / f"x.{suffix}"
    for length in [*range(0, len(data) - 40, max(1, len(data) // 60)), len(data) - 40]:
        path.write_bytes(data[:length])
        with pytest.raises(ImageError, match=rf"x\.{suffix} is "):
            ainet.read_image(path)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, on the same damage
def test_damaged_exif_gives_an_image_or_our_error(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"  # orientation, and a description that damage makes another field
    data = encoded("jpeg", exif=exif)
    tag, path, refused = data.index(b"\x01\x0e\x00\x02") + 1, tmp_path / "x.jpeg", 0
    for value in range(256):
        path.write_bytes(data[:tag] + bytes([value]) + data[tag + 1 :])
        try:
            assert ainet.read_image(path).ndim == 3
        except ImageError:
            refused += 1
    assert 0 < refused < 256


@pytest.mark.parametrize("suffix", ["jpeg", "png", "webp", "gif", "ppm", "avif"])
def test_damaged_files_give_an_image_or_our_error(tmp_path: Path, suffix: str) -> None:
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    rng = np.random.default_rng(0)
    data = np.frombuffer(encoded(suffix), np.uint8)
    path = tmp_path / f"x.{suffix}"
    outcomes = set()
    for _ in range(150):
        damaged = data.copy()
        damaged[rng.integers(0, len(data), rng.choice([1, 3, 20]))] = rng.integers(0, 256)
        path.write_bytes(damaged.tobytes())
        try:
            outcomes.add(ainet.read_image(path).ndim)
        except ImageError as error:
            assert f"x.{suffix}" in str(error)
            outcomes.add(0)
    assert outcomes == {0, 3}


def test_files_that_are_no_image(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name in ("text.jpg", "empty.png"):
        with pytest.raises(ImageError, match=name):
            ainet.read_image(tmp_path / name)
    with pytest.raises(ImageError, match=r"nowhere\.png: No such file"):
        ainet.read_image(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match="Is a directory"):
        ainet.read_image(tmp_path)
    with pytest.raises(ImageError, match="Not a directory"):
        ainet.read_image(tmp_path / "text.jpg" / "x.png")


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, width, height in (("100", 10_000, 10_000), ("400", 20_000, 20_000), ("above", 8192, 8193)):
        (tmp_path / f"{name}.png").write_bytes(png_header(width, height))

    def load(_: Image.Image) -> None:
        pytest.fail("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with warnings.catch_warnings(), pytest.raises(ImageError, match=r"100\.png has 10000x10000"):
        warnings.simplefilter("error")  # Pillow's, of which our error speaks
        ainet.read_image(tmp_path / "100.png")
    with pytest.raises(ImageError, match=r"400\.png has far more than 67 megapixels"):
        ainet.read_image(tmp_path / "400.png")
    with pytest.raises(ImageError, match=r"above\.png has 8193x8192"):
        ainet.read_image(tmp_path / "above.png")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RAMP, RAMP),
        (RAMP[:, :, 0], RAMP[:, :, :1].repeat(3, 2)),
        (RAMP[:, :, :1], RAMP[:, :, :1].repeat(3, 2)),
        (np.dstack([RAMP, RAMP[:, :, 0]]), RAMP),
        (RAMP[::2, ::-1], RAMP[::2, ::-1]),
        (RAMP / 255, RAMP),
        ((RAMP / 255).astype(">f4"), RAMP),
        (RAMP.astype(np.float16) / 255, RAMP),
        (RAMP.astype(np.float32)[:, :, 0] / 255, RAMP[:, :, :1].repeat(3, 2)),
        (np.full((2, 2), 0.5), np.full((2, 2, 3), 128)),
    ],
    ids=["RGB", "grey", "grey with axis", "RGBA", "view", "float64", "big-endian float32", "float16", "grey float32", "half"],
)
def test_arrays(image: NDArray[Any], expected: NDArray[Any]) -> None:
    result = as_rgb(image)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5, np.uint8), r"shape \(H, W\), .* not \(5,\)"),
        (np.zeros((4, 5, 2), np.uint8), r"not \(4, 5, 2\)"),
        (np.zeros((3, 40, 50), np.uint8), r"not \(3, 40, 50\)"),
        (None, "not None"),
        (np.zeros((4, 5), np.uint16), "not of 8 bits: uint16"),
        (np.zeros((4, 5), np.int64), "not of 8 bits: int64"),
        (np.zeros((4, 5), bool), "not bool"),
        (np.full((4, 5), 1.01), r"\[0, 1\]"),
        (np.full((4, 5), -0.01), r"must lie in \[0, 1\]"),
        (np.full((4, 5), np.nan), "NaN or infinite values in 20 pixels"),
        (np.broadcast_to(np.uint8(0), (32769, 32768)), "32769x32768 pixels, more than 1,074 megapixels"),
    ],
)
def test_arrays_that_are_no_image(image: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        as_rgb(image)
