"""Values that Pillow would cut, rescale or take for others: read as they were written, or refused by name."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from support.pngs import png_chunk

import ainet
from ainet.errors import ImageError, UsageError

RAMP = (np.add.outer(np.arange(40), np.arange(50))[:, :, None] * np.array([2, 1, 2.5])).astype(np.uint8)
RGBA = np.dstack([RAMP, 255 - RAMP[:, :, 0]])


def jpeg2000(values: NDArray[Any]) -> bytes:
    order = values if values.ndim == 2 else values[:, :, [2, 1, 0, 3][: values.shape[2]]]
    return cv2.imencode(".jp2", np.ascontiguousarray(order))[1].tobytes()


def grey_jpeg2000(values: NDArray[np.uint16], bits: int, signed: bool = False) -> bytes:
    """OpenCV writes 16 bits: fewer are told in both headers, and values moved by as much as the decoder moves them the other way."""
    content = bytearray(jpeg2000((values.astype(int) - 2 ** (bits - 1) + 2**15).clip(0, 2**16 - 1).astype(np.uint16)))
    depth = bits - 1 + 128 * signed
    content[content.index(b"ihdr") + 14] = depth
    content[content.index(b"\xff\x4f\xff\x51") + 42] = depth
    return bytes(content)


def sgi(values: NDArray[np.uint16]) -> bytes:
    """Without compression: rows from the bottom, band after band."""
    bands = np.moveaxis(np.atleast_3d(values), 2, 0)[:, ::-1]
    count, height, width = bands.shape
    return struct.pack(">hBBHHHH", 474, 0, 2, 3 if count > 1 else 2, width, height, count).ljust(512, b"\0") + bands.astype(">u2").tobytes()


def deep_png(values: NDArray[np.uint16], colour_type: int) -> bytes:
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


# --- JPEG 2000 and SGI ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bands", [3, 4])
def test_deep_colours_of_jpeg_2000(bands: int) -> None:
    content = jpeg2000(RGBA[:, :, :bands].astype(np.uint16) * 16)
    np.testing.assert_array_equal(ainet.read_image(content, stretch=(0, 4080)), RAMP)
    with pytest.raises(ImageError, match=r"not of 8 bits: uint16 values from 0 to .*stretch="):
        ainet.read_image(content)
    if bands == 4:
        np.testing.assert_array_equal(ainet.read_image(content, bands=(4,), stretch=(0, 4080))[:, :, 0], RGBA[:, :, 3])
    with pytest.raises(ImageError, match="which Pillow changes"):
        ainet.read_image(Image.open(io.BytesIO(content)), stretch=(0, 4080))


@pytest.mark.parametrize("bits", [10, 12, 15, 16])
def test_grey_jpeg_2000_keeps_its_values(bits: int) -> None:
    top = 2**bits - 1
    values = (RAMP[:, :, 0].astype(np.uint16) * (top // 255)).astype(np.uint16)
    image = ainet.read_image(grey_jpeg2000(values, bits), stretch=(0, top // 255 * 255))
    np.testing.assert_array_equal(image[:, :, 1], RAMP[:, :, 0])
    np.testing.assert_array_equal(ainet.read_image(jpeg2000(RAMP)), RAMP)  # of 8 bits nothing changes


@pytest.mark.parametrize(
    ("bits", "signed", "kind"), [(16, True, "signed"), (12, True, "signed"), (8, True, "signed"), (20, False, "20 bits")]
)
def test_jpeg_2000_that_is_not_read(bits: int, signed: bool, kind: str) -> None:
    with pytest.raises(ImageError, match=rf"{kind}.*convert it to TIFF"):
        ainet.read_image(grey_jpeg2000(RAMP[:, :, 0].astype(np.uint16), bits, signed), stretch="minmax")


def test_jpeg_2000_of_two_sizes() -> None:
    content = bytearray(jpeg2000(RAMP.astype(np.uint16)))
    content[content.index(b"ihdr") + 4 : content.index(b"ihdr") + 8] = (20).to_bytes(4, "big")
    with pytest.raises(ImageError, match="damaged"):
        ainet.read_image(bytes(content), stretch="none")


@pytest.mark.parametrize("values", [RAMP, RAMP[:, :, 0]], ids=["RGB", "grey"])
def test_deep_sgi_is_refused(values: NDArray[np.uint8]) -> None:
    content = sgi(values.astype(np.uint16) * 16)
    for source in (content, Image.open(io.BytesIO(content))):
        with pytest.raises(ImageError, match=r"PNG or TIFF of 16 bits|which Pillow changes"):
            ainet.read_image(source, stretch="minmax")
    Image.fromarray(values).save(stream := io.BytesIO(), "SGI")
    np.testing.assert_array_equal(ainet.read_image(stream.getvalue()), values if values.ndim == 3 else values[:, :, None].repeat(3, 2))


def test_a_pillow_image_of_a_pgm_file_with_twelve_bits() -> None:
    content = b"P5\n50 40\n4095\n" + (RAMP[:, :, 0].astype(int) * 16).astype(">u2").tobytes()
    with pytest.raises(ImageError, match="which Pillow changes"):  # to 16
        ainet.read_image(Image.open(io.BytesIO(content)), stretch=(0, 4080))
    np.testing.assert_array_equal(ainet.read_image(content, stretch=(0, 4080))[:, :, 0], RAMP[:, :, 0])


# --- PNG --------------------------------------------------------------------------------------------------------------------------------


def test_grey_and_alpha_of_sixteen_bits_are_two_bands() -> None:
    content = deep_png(RGBA[:, :, [0, 3]].astype(np.uint16) * 257, 4)
    for bands, band in ((None, 0), ((1,), 0), ((2,), 3)):
        np.testing.assert_array_equal(ainet.read_image(content, stretch="none", bands=bands)[:, :, 2], RGBA[:, :, band])
    with pytest.raises(UsageError, match="has 2 bands, so there is no band 4"):
        ainet.read_image(content, stretch="none", bands=(4,))


# --- TIFF -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [RAMP, RAMP[:, :, 0]], ids=["RGB", "grey"])
def test_signed_values_of_eight_bits(tmp_path: Path, values: NDArray[np.uint8]) -> None:
    photometric = "rgb" if values.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "x.tif", (values.astype(int) - 128).astype(np.int8), photometric=photometric)
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif", stretch=(-128, 127))[:, :, 0], RAMP[:, :, 0])
    with pytest.raises(ImageError, match="not of 8 bits: int8 values from -128"):
        ainet.read_image(tmp_path / "x.tif")


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_colours_multiplied_by_alpha(tmp_path: Path, planes: str, dtype: type, top: float) -> None:
    alpha = np.full((40, 50), 51, np.uint8)
    alpha[0] = 0
    colours = RAMP // 5 * 5
    colours[0] = 0
    stored = (np.dstack([colours // 5, alpha]) * (top / 255)).astype(dtype)
    if planes == "separate":
        stored = np.ascontiguousarray(np.moveaxis(stored, 2, 0))
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="rgb", extrasamples=["assocalpha"], planarconfig=planes)
    image = ainet.read_image(tmp_path / "x.tif", stretch="none")
    np.testing.assert_array_equal(image, colours)
    bands = ainet.read_image(tmp_path / "x.tif", stretch="none", bands=(3, 1, 4))
    np.testing.assert_array_equal(bands, np.dstack([colours[:, :, [2, 0]], alpha]))


def test_a_volume_is_refused(tmp_path: Path) -> None:
    volume = np.stack([RAMP[:32, :32], RAMP[8:40, 8:40]])
    tifffile.imwrite(tmp_path / "x.tif", volume, volumetric=True, tile=(2, 32, 32), photometric="rgb")
    with pytest.raises(ImageError, match=r"x\.tif has a volume of 2 planes"):
        ainet.read_image(tmp_path / "x.tif")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint32, np.uint64])
def test_a_page_of_another_kind_leaves_the_others(tmp_path: Path, dtype: type) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as writer:
        for page in (RAMP, RAMP[::-1].astype(dtype), RAMP[:, ::-1]):
            writer.write(page, photometric="rgb")
    for number, page in enumerate((RAMP, RAMP[::-1], RAMP[:, ::-1])):
        image = ainet.read_image(tmp_path / "x.tif", page=number, stretch=(0, 255))
        np.testing.assert_array_equal(image, page)
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif", page=0), RAMP)


# --- what other headers say -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_few_bits_of_jpeg_2000(bits: int) -> None:
    """Pillow shifts them: white of 1 bit becomes 128."""
    content = bytearray(jpeg2000(RAMP))
    content[content.index(b"ihdr") + 14] = bits - 1
    for component in range(3):
        content[content.index(b"\xff\x4f\xff\x51") + 42 + 3 * component] = bits - 1
    with pytest.raises(ImageError, match=f"values of {bits} bits, which are not read"):
        ainet.read_image(bytes(content))


def test_nine_bits_of_jpeg_2000() -> None:
    values = RAMP[:, :, 0].astype(np.uint16) * 2
    np.testing.assert_array_equal(ainet.read_image(grey_jpeg2000(values, 9), stretch=(0, 510))[:, :, 0], RAMP[:, :, 0])


def fits(values: NDArray[Any], **entries: float) -> bytes:
    """One image: cards of 80 bytes in blocks of 2,880, and the values from the first row, as the standard has it."""
    bits = -32 if values.dtype.kind == "f" else 8 * values.dtype.itemsize
    cards = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": values.shape[1], "NAXIS2": values.shape[0], **entries}
    lines = [f"{key:<8}= {value!s:>20}".ljust(80) for key, value in cards.items()]
    header = "".join([*lines, "END".ljust(80)])
    data = values.astype(values.dtype.newbyteorder(">")).tobytes()
    return header.ljust(-(-len(header) // 2880) * 2880).encode() + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


@pytest.mark.parametrize(
    ("dtype", "entries"), [("i2", {}), ("i2", {"BZERO": 32768}), ("f4", {"BSCALE": 2.0, "BZERO": 100.0}), ("u1", {"BZERO": -128})]
)
def test_fits_is_refused(tmp_path: Path, dtype: str, entries: dict[str, float]) -> None:
    """Pillow opens it, and neither applies the scale in its header nor takes values of 16 bits for signed."""
    content = fits(RAMP[:, :, 0].astype(dtype), **entries)
    (tmp_path / "x.fits").write_bytes(content)
    with Image.open(tmp_path / "x.fits") as opened:
        assert opened.format == "FITS"
    for source in (content, tmp_path / "x.fits"):
        with pytest.raises(ImageError, match="is a FITS file whose header may scale its values"):
            ainet.read_image(source, stretch="minmax")
    with Image.open(io.BytesIO(content)) as opened, pytest.raises(ImageError, match="is a FITS file"):
        ainet.read_image(opened, stretch="minmax")


def test_jpeg_2000_whose_alpha_has_one_bit() -> None:
    content = bytearray(jpeg2000(RGBA))
    content[content.index(b"\xff\x4f\xff\x51") + 42 + 3 * 3] = 0
    with Image.open(io.BytesIO(bytes(content))) as opened:
        expected = np.array(opened.convert("RGB"))
    np.testing.assert_array_equal(ainet.read_image(bytes(content)), expected)


def test_bands_of_one_bit(tmp_path: Path) -> None:
    Image.fromarray(RAMP[:, :, 0] > 60).save(tmp_path / "x.png")
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.png", bands=(1,))[:, :, 0], (RAMP[:, :, 0] > 60) * 255)
    with pytest.raises(UsageError, match="has 1 bands, so there is no band 2"):
        ainet.read_image(tmp_path / "x.png", bands=(2,))
