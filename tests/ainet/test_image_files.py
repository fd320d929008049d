"""Files of deep, many-banded and several pictures: values equal to what was written, or our error."""

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from support.pngs import png_chunk
from support.profiles import cmyk_profile

import ainet
from ainet.errors import DeviceError, ImageError, UsageError
from ainet.images import read_pages

DEEP = np.arange(20 * 30 * 3, dtype=np.uint16).reshape(20, 30, 3) * 30  # 0..53,970
RAMP = (np.add.outer(np.arange(40), np.arange(50))[:, :, None] * np.array([2, 1, 2.5])).astype(np.uint8)


def scaled(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """An independent stretch: exact integers where values are."""
    return np.floor((np.clip(values.astype(np.float64), low, high) - low) * 255 / (high - low) + 0.5).astype(np.uint8)


# --- deep values --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "channels"), [("png", 1), ("png", 3), ("png", 4), ("tiff", 1), ("tiff", 3), ("ppm", 3), ("pgm", 1)])
def test_sixteen_bits(tmp_path: Path, suffix: str, channels: int) -> None:
    """Pillow opens 16-bit colour as if it had 8 bits: that would be another picture."""
    path = tmp_path / f"x.{suffix}"
    values = np.arange(20 * 30 * channels, dtype=np.uint16).reshape(20, 30, channels) * 23
    assert cv2.imwrite(str(path), values if channels < 3 else values[:, :, [2, 1, 0, 3][:channels]], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    with pytest.raises(ImageError, match=rf"x\.{suffix} is not of 8 bits: .* from 0 to .*stretch="):
        ainet.read_image(path)
    seen = values[:, :, :3].repeat(3 if channels == 1 else 1, 2)
    for stretch, low, high in (((0, 4095), 0, 4095), ("0,4095", 0, 4095), ("minmax", 0, seen.max())):
        image = ainet.read_image(path, stretch=stretch)  # type: ignore[arg-type]  # the command line's way of saying it
        assert np.abs(image.astype(int) - scaled(seen, low, high)).max() <= 1  # halves may round either way
    assert np.abs(ainet.read_image(path.read_bytes(), stretch="none").astype(int) - scaled(seen, 0, 65535)).max() <= 1


def test_twelve_bits_in_files_of_sixteen(tmp_path: Path) -> None:
    """Pillow rescales a PGM file whose maximum is 4095."""
    values = (np.arange(600, dtype=np.uint16) * 6).reshape(20, 30)
    (tmp_path / "x.pgm").write_bytes(b"P5\n30 20\n4095\n" + values.astype(">u2").tobytes())
    tifffile.imwrite(tmp_path / "x.tif", values)
    Image.fromarray(values).save(tmp_path / "x.png")
    for name in ("x.pgm", "x.tif", "x.png"):
        np.testing.assert_allclose(ainet.read_image(tmp_path / name, stretch=(0, 4095))[:, :, 2], scaled(values, 0, 4095), atol=1)
    tifffile.imwrite(tmp_path / "x.tif", (values - 2000).astype(np.int16))
    image = ainet.read_image(tmp_path / "x.tif", stretch="none")[:, :, 0]
    np.testing.assert_allclose(image, scaled(values.astype(float) - 2000, -32768, 32767), atol=1)


def test_percentiles_leave_outliers_out(tmp_path: Path) -> None:
    values = np.linspace(1000, 3000, 100 * 100).reshape(100, 100).astype(np.uint16)
    values[0, 0], values[-1, -1] = 0, 65535
    tifffile.imwrite(tmp_path / "x.tif", values)
    image = ainet.read_image(tmp_path / "x.tif", stretch="percentile")
    low, high = np.percentile(values, [2, 98])
    np.testing.assert_allclose(image[:, :, 0], scaled(values, low, high), atol=1)
    assert (image == 0).mean() == pytest.approx(0.02, abs=0.002)
    assert ainet.read_image(tmp_path / "x.tif", stretch="minmax").max(2).mean() < 12  # where one outlier makes the rest dark


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.float32, np.float64])
def test_types_of_microscopes_and_scanners(tmp_path: Path, dtype: type) -> None:
    values = (np.arange(600).reshape(20, 30) * 5 - (1024 if np.dtype(dtype).kind != "u" else 0)).astype(dtype)
    if dtype is np.uint32:
        values += np.uint32(2**31)  # above what Pillow's integers hold
    tifffile.imwrite(tmp_path / "x.tif", values)
    expected = scaled(values, float(values.min()), float(values.max()))
    np.testing.assert_allclose(ainet.read_image(tmp_path / "x.tif", stretch="minmax")[:, :, 1], expected, atol=1)
    with pytest.raises(ImageError, match="stretch="):
        ainet.read_image(tmp_path / "x.tif")


def test_holes_in_float_images(tmp_path: Path) -> None:
    values = np.linspace(-5, 5, 600, dtype=np.float32).reshape(20, 30)
    values[0, :3] = np.nan, np.inf, -np.inf
    tifffile.imwrite(tmp_path / "x.tif", values)
    image = ainet.read_image(tmp_path / "x.tif", stretch="minmax")[:, :, 0]
    assert image[0, :3].tolist() == [0, 255, 0]
    assert (image[0, 3], image[-1, -1]) == (0, 255)
    tifffile.imwrite(tmp_path / "x.tif", np.full((20, 30), np.nan, np.float32))
    with pytest.raises(ImageError, match="no finite value"):
        ainet.read_image(tmp_path / "x.tif", stretch="percentile")
    tifffile.imwrite(tmp_path / "x.tif", np.full((20, 30), 7, np.uint16))
    assert not ainet.read_image(tmp_path / "x.tif", stretch="minmax").any()


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_deep_files_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    turned = {3: DEEP[::-1, ::-1], 6: DEEP.transpose(1, 0, 2)[:, ::-1], 8: DEEP.transpose(1, 0, 2)[::-1]}[orientation]
    tifffile.imwrite(tmp_path / "x.tif", DEEP, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif", stretch="none"), scaled(turned, 0, 65535))


def test_white_is_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", DEEP[:, :, 0], photometric="miniswhite")
    np.testing.assert_allclose(ainet.read_image(tmp_path / "x.tif", stretch="none")[:, :, 0], 255 - scaled(DEEP[:, :, 0], 0, 65535), atol=1)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.uint8, 0, 4095), (np.uint8, -200, -100), (np.uint8, 255, 300), (np.uint16, 0, 2**20), (np.int16, -(2**17), -(2**16))],
)
def test_a_range_for_values_of_another_type(tmp_path: Path, dtype: type[np.integer[Any]], low: int, high: int) -> None:
    """As of a photo among scans of 12 bits, which one range would make black without a word."""
    tifffile.imwrite(tmp_path / "x.tif", DEEP[:, :, 0].astype(dtype))
    with pytest.raises(ImageError, match=rf"x\.tif has {np.dtype(dtype)} values, which go from .*; stretch=.* is for others"):
        ainet.read_image(tmp_path / "x.tif", stretch=(low, high))
    kind = np.iinfo(dtype)
    for low, high in ((int(kind.min), int(kind.max)), (-10, 256)):
        image = ainet.read_image(tmp_path / "x.tif", stretch=(low, high))
        np.testing.assert_allclose(image[:, :, 0], scaled(DEEP[:, :, 0].astype(dtype), low, high), atol=1)


# --- bands --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_bands_by_number(tmp_path: Path, planes: str, dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 200, (20, 30, 7)).astype(dtype)
    stored = values if planes == "contig" else np.ascontiguousarray(np.moveaxis(values, 2, 0))
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="minisblack", planarconfig=planes)
    for bands in ((4, 3, 2), "4,3,2", np.array([4, 3, 2])):
        image = ainet.read_image(tmp_path / "x.tif", bands=bands, stretch=(0, 255))  # type: ignore[arg-type]
        np.testing.assert_array_equal(image, values[:, :, [3, 2, 1]])
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif", bands=[7], stretch=(0, 255))[:, :, 2], values[:, :, 6])
    with pytest.raises(ImageError, match="7 bands; choose one or three"):
        ainet.read_image(tmp_path / "x.tif")
    with pytest.raises(UsageError, match="no band 8"):
        ainet.read_image(tmp_path / "x.tif", bands=(1, 2, 8), stretch=(0, 255))


def test_bands_of_ordinary_files(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([RAMP, RAMP[:, :, 0] // 2])).save(tmp_path / "x.png")
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.png", bands=(3, 2, 1)), RAMP[:, :, ::-1])
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.png", bands=(4,))[:, :, 0], RAMP[:, :, 0] // 2)
    np.testing.assert_array_equal(ainet.read_image(RAMP, bands=(2,))[:, :, 0], RAMP[:, :, 1])
    tifffile.imwrite(tmp_path / "x.tif", np.dstack([RAMP, RAMP[:, :, :2]]), photometric="rgb")  # RGB and two more
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif"), RAMP)
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif", bands=(5, 4, 1)), RAMP[:, :, [1, 0, 0]])


def test_without_tifffile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "x.tif", DEEP, photometric="rgb")
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    with pytest.raises(DeviceError, match=r"pip install 'ainet-toolkit\[tiff\]'"):
        ainet.read_image(tmp_path / "x.tif", stretch="minmax")


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, on the same damage
def test_damaged_deep_files_give_an_image_or_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    tifffile.imwrite(stream, DEEP, photometric="rgb", compression="zlib")
    outcomes = set()
    for data in (stream.getvalue(), cv2.imencode(".png", DEEP)[1].tobytes()):
        for _ in range(150):
            damaged = np.frombuffer(data, np.uint8).copy()
            damaged[rng.integers(0, min(len(data), 400), rng.choice([1, 3]))] = rng.integers(0, 256)
            try:
                outcomes.add(ainet.read_image(damaged.tobytes(), stretch="minmax").ndim)
            except (ImageError, DeviceError):
                outcomes.add(0)
    assert outcomes == {0, 3}


# --- colours ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_through_its_profile(tmp_path: Path, suffix: str) -> None:
    inks = np.zeros((20, 30, 4), np.uint8)
    inks[:, 10:20, 3] = 128  # half black
    inks[:, 20:, :3] = 255
    picture = Image.fromarray(inks, "CMYK")
    picture.save(tmp_path / f"x.{suffix}", icc_profile=cmyk_profile())
    image = ainet.read_image(tmp_path / f"x.{suffix}")
    for column, grey in ((2, 255), (15, 118), (27, 0)):  # L* 100, 49.8 and 0 in sRGB
        np.testing.assert_allclose(image[10, column], [grey] * 3, atol=2)
    picture.save(tmp_path / f"y.{suffix}")
    with pytest.raises(ImageError, match=rf"y\.{suffix} is in CMYK colours without a profile"):
        ainet.read_image(tmp_path / f"y.{suffix}")


def test_other_colour_spaces(tmp_path: Path) -> None:
    Image.new("LAB", (30, 20), (128, 128, 128)).save(tmp_path / "lab.tif")  # L* 50.2
    np.testing.assert_allclose(ainet.read_image(tmp_path / "lab.tif")[0, 0], [119] * 3, atol=2)
    Image.fromarray(RAMP).convert("YCbCr").save(tmp_path / "ycc.tif")
    np.testing.assert_allclose(ainet.read_image(tmp_path / "ycc.tif"), RAMP, atol=3)


# --- pages --------------------------------------------------------------------------------------------------------------------------------

PAGES = [np.roll(RAMP, 7 * number, 1) for number in range(4)]


@pytest.mark.parametrize(("suffix", "options"), [("tif", {}), ("png", {}), ("webp", {"lossless": True}), ("gif", {})])
def test_every_page(tmp_path: Path, suffix: str, options: dict[str, Any]) -> None:
    first, *others = map(Image.fromarray, PAGES)
    first.save(tmp_path / f"x.{suffix}", save_all=True, append_images=others, **options)
    found = dict(read_pages(tmp_path / f"x.{suffix}"))
    assert list(found) == ["-0", "-1", "-2", "-3"]
    for number, page in enumerate(PAGES):
        tolerance = 40 if suffix == "gif" else 0  # of 256 colours
        np.testing.assert_allclose(found[f"-{number}"], page, atol=tolerance)
        np.testing.assert_array_equal(ainet.read_image(tmp_path / f"x.{suffix}", page=number), found[f"-{number}"])
    with pytest.raises(ImageError, match=rf"x\.{suffix} holds 4 pages: choose one with page="):
        ainet.read_image(tmp_path / f"x.{suffix}")
    for page in (4, -1):
        with pytest.raises(UsageError, match="has 4, counted from 0"):
            ainet.read_image(tmp_path / f"x.{suffix}", page=page)
    for wrong in (1.0, True, "0"):
        with pytest.raises(UsageError, match=f"page must be an integer, not {wrong!r}"):
            ainet.read_image(tmp_path / f"x.{suffix}", page=wrong)  # type: ignore[arg-type]


def test_more_pages_than_there_are(tmp_path: Path) -> None:
    """A damaged APNG speaks of 67 million: the first ones are read, and no list is made of them."""
    first, second = map(Image.fromarray, PAGES[:2])
    first.save(tmp_path / "x.png", save_all=True, append_images=[second])
    content = (tmp_path / "x.png").read_bytes()
    place = content.index(b"acTL")
    damaged = content[: place - 4] + png_chunk(b"acTL", (2**26).to_bytes(4, "big") + bytes(4)) + content[place + 16 :]
    with pytest.raises(ImageError, match="holds 67108864 pages"):
        ainet.read_image(damaged)
    np.testing.assert_array_equal(ainet.read_image(damaged, page=1), PAGES[1])
    with pytest.raises(ImageError, match="damaged or cut off"):
        ainet.read_image(damaged, page=2)
    (tmp_path / "x.png").write_bytes(damaged)
    *whole, (ending, error) = read_pages(tmp_path / "x.png")
    assert ([end for end, _ in whole], ending, type(error)) == (["-0", "-1"], "-2", ImageError)


def test_deep_animations(tmp_path: Path) -> None:
    """The first frame is the picture; of the others Pillow would cut the values."""
    control = lambda number: struct.pack(">IIIIIHHBB", number, 30, 20, 0, 0, 1, 10, 0, 0)  # noqa: E731
    still = cv2.imencode(".png", DEEP[:, :, ::-1])[1].tobytes()
    start, stop = still.index(b"IDAT") - 4, still.index(b"IEND") - 4
    frame = png_chunk(b"fdAT", struct.pack(">I", 2) + still[start + 8 : stop - 4])
    animated = [png_chunk(b"acTL", struct.pack(">II", 2, 0)), png_chunk(b"fcTL", control(0)), still[start:stop]]
    animated += [png_chunk(b"fcTL", control(1)), frame]
    content = still[:start] + b"".join(animated) + still[stop:]
    np.testing.assert_array_equal(ainet.read_image(content, page=0, stretch="none"), scaled(DEEP, 0, 65535))
    with pytest.raises(ImageError, match="not read from animations; convert it to PNG"):
        ainet.read_image(content, page=1, stretch="none")


def test_photoshop(tmp_path: Path) -> None:
    """Pillow counts the frames of these from 1; the composite is the image, without layers too."""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 40, 50, 8, 3)
    content = header + bytes(12) + bytes(2) + np.moveaxis(RAMP, 2, 0).tobytes()
    np.testing.assert_array_equal(ainet.read_image(content), RAMP)
    (tmp_path / "x.psd").write_bytes(content)
    assert [ending for ending, _ in read_pages(tmp_path / "x.psd")] == [""]
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.psd", page=0), RAMP)


def test_deep_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.stack([DEEP, DEEP // 2]), photometric="rgb")
    one, two = (image for _, image in read_pages(tmp_path / "x.tif", stretch=(0, 65535)))
    np.testing.assert_array_equal(one, scaled(DEEP, 0, 65535))
    np.testing.assert_array_equal(two, scaled(DEEP // 2, 0, 65535))


def test_thumbnails_and_previews_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:  # two pages with a smaller copy each
        for page in PAGES[:2]:
            writer.write(page, photometric="rgb")
            writer.write(np.ascontiguousarray(page[::2, ::2]), photometric="rgb", subfiletype=1)
    assert [image.shape for _, image in read_pages(tmp_path / "pyramid.tif")] == [RAMP.shape, RAMP.shape]
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "pyramid.tif", page=1), PAGES[1])
    first, *others = map(Image.fromarray, PAGES)
    first.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=others, quality=95)
    assert [ending for ending, _ in read_pages(tmp_path / "phone.jpg")] == [""]
    assert ainet.read_image(tmp_path / "phone.jpg").shape == RAMP.shape
