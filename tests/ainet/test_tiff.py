"""Large pages of TIFF files, piece by piece, and kinds of colours."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import ainet
from ainet.errors import ImageError, OutputError
from ainet.scratch import LARGE, allocate
from ainet.tiff import TiffPages

RNG = np.random.default_rng(0)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"tile": (1024, 1024)}, {"rowsperstrip": 512}], ids=["tiles", "strips"])
def test_a_large_page_is_read_piece_by_piece(tmp_path: Path, options: dict[str, Any]) -> None:
    """67.2 megapixels, behind a small page, by which Pillow opens the file: every tile at its place."""
    scene = np.kron(RNG.integers(0, 256, (41, 41), np.uint8), np.ones((200, 200), np.uint8))
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(np.full((20, 20), 7, np.uint8))
        file.write(scene, compression="zlib", **options)
    assert ainet.read_image(tmp_path / "x.tif", page=0)[0, 0].tolist() == [7, 7, 7]
    image = ainet.read_image(tmp_path / "x.tif", page=1)
    assert image.shape == (8200, 8200, 3)
    assert all(np.array_equal(image[:, :, band], scene) for band in range(3))


def test_a_large_page_of_another_kind(tmp_path: Path) -> None:
    """One piece of a compressed page would be the whole image; a page that names fewer tiles than it has is damaged."""
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((8200, 8200), np.uint8), compression="zlib", rowsperstrip=8200)
    with pytest.raises(ImageError, match=r"compressed in one piece of 67 megapixels; save it in tiles"):
        ainet.read_image(path)
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib", tile=(16, 16))
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[name].overwrite(8208)
    with pytest.raises(ImageError, match=r"x\.tif is damaged: 16 of 263169 tiles are there; fetch it again"):
        ainet.read_image(path)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[name].overwrite(40000)
    with pytest.raises(ImageError, match=r"x\.tif has 40000x40000 pixels, more than 1,074 megapixels; scale it down or cut it"):
        ainet.read_image(path)


def test_pages_that_go_round_in_a_circle(tmp_path: Path) -> None:
    """Each says where the next one is: the last one that it is the last but one, or itself."""
    for back in (1, 2):
        tifffile.imwrite(tmp_path / "x.tif", RNG.integers(0, 65536, (3, 20, 30, 3), np.uint16), photometric="rgb", metadata=None)
        content = bytearray((tmp_path / "x.tif").read_bytes())
        with tifffile.TiffFile(tmp_path / "x.tif") as file:
            places = [page.offset for page in file.pages]
        end = places[2] + 2 + 12 * int.from_bytes(content[places[2] : places[2] + 2], "little")
        content[end : end + 4] = struct.pack("<I", places[-back])
        (tmp_path / "x.tif").write_bytes(content)
        with tifffile.TiffFile(tmp_path / "x.tif") as pages, pytest.raises(ImageError, match=r"y\.tif is damaged: .* in a circle"):
            TiffPages(pages, Path("y.tif"), 2**26)


def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    array = allocate((LARGE // 4 + 1,), np.uint32)
    array[-1] = 5
    assert (array[0], array[-1], list(tmp_path.iterdir())) == (0, 5, [])
    with pytest.raises(OutputError, match=rf"a large image needs 1000000\.0 GB in {tmp_path} while it is used: .*TMPDIR"):
        allocate((10**15,), np.uint8)


# --- kinds of colours -------------------------------------------------------------------------------------------------------------------


def test_a_palette_of_sixteen_bits(tmp_path: Path) -> None:
    """Its indices are no grey."""
    palette = RNG.integers(0, 65536, (3, 65536), np.uint16)
    indices = RNG.integers(0, 65536, (20, 30), np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", indices, photometric="palette", colormap=palette)
    image = ainet.read_image(tmp_path / "x.tif")
    np.testing.assert_array_equal(image, np.moveaxis(palette[:, indices] >> 8, 0, -1))


@pytest.mark.parametrize(
    ("photometric", "bands", "words"), [("cielab", 3, r"L\*a\*b\*"), ("icclab", 3, r"L\*a\*b\*"), ("separated", 4, "CMYK")]
)
def test_deep_colours_that_are_not_converted(tmp_path: Path, photometric: str, bands: int, words: str) -> None:
    values = RNG.integers(0, 65536, (20, 30, bands), np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric=photometric)
    with pytest.raises(ImageError, match=rf"x\.tif has colours of the kind {words}, uint16, .*: magick x\.tif -colorspace sRGB rgb\.png"):
        ainet.read_image(tmp_path / "x.tif", stretch="none")
    image = ainet.read_image(tmp_path / "x.tif", stretch="none", bands=(1, 2, 3))  # as they stand
    np.testing.assert_allclose(image, values[:, :, :3] / 257, atol=0.51)


def test_white_is_zero_in_a_pillow_image(tmp_path: Path) -> None:
    """Of 16 bits, which Pillow leaves negative: its object is refused, the file is read."""
    values = RNG.integers(0, 65536, (20, 30), np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="miniswhite")
    image = ainet.read_image(tmp_path / "x.tif", stretch="none")
    np.testing.assert_allclose(image[:, :, 0], (65535 - values.astype(int)) / 257, atol=0.51)
    with Image.open(tmp_path / "x.tif") as picture, pytest.raises(ImageError, match=r"Pillow.*read it with ainet\.read_image"):
        ainet.read_image(picture, stretch="none")


def test_nothing_is_printed_of_odd_files(tmp_path: Path, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a tag that is cut off, of samples that the photometric interpretation does not have, of a wrong EXIF entry."""
    tifffile.imwrite(tmp_path / "x.tif", RNG.integers(0, 255, (20, 30, 5), np.uint8), photometric="rgb", extrasamples=(0, 0))
    with tifffile.TiffFile(tmp_path / "x.tif", mode="r+b") as file:
        place = file.pages[0].tags["ExtraSamples"].offset
    content = bytearray((tmp_path / "x.tif").read_bytes())
    content[place : place + 2] = struct.pack("<H", 65000)
    (tmp_path / "x.tif").write_bytes(content)
    assert ainet.read_image(tmp_path / "x.tif").shape == (20, 30, 3)
    Image.new("RGB", (30, 20)).save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0")
    assert ainet.read_image(tmp_path / "x.jpg").shape == (20, 30, 3)
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


# --- stacks behind one page, grey with alpha ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("imagej", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_stack_behind_one_page_is_refused(tmp_path: Path, imagej: bool, dtype: type[np.generic]) -> None:
    """As ImageJ writes stacks of over 4 GB: one page, whose description alone speaks of the planes behind it."""
    stack = np.arange(3 * 40 * 50).reshape(3, 40, 50).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", stack, imagej=imagej, truncate=True, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert len(file.pages) == 1 and file.series[0].shape == (3, 40, 50)
    with pytest.raises(ImageError, match="has a stack of planes behind one page"):
        ainet.read_image(tmp_path / "x.tif", stretch="none")
    with Image.open(tmp_path / "x.tif") as opened, pytest.raises(ImageError, match=r"read it with ainet.read_image"):
        ainet.segment(opened)
    tifffile.imwrite(tmp_path / "one.tif", stack[:1], imagej=imagej, truncate=True, photometric="minisblack")
    assert ainet.read_image(tmp_path / "one.tif", stretch="none").shape == (40, 50, 3)


def test_a_page_of_a_stack_with_the_description_of_the_whole(tmp_path: Path) -> None:
    """As other programs copy it with the page."""
    stack = np.arange(3 * 40 * 50).reshape(3, 40, 50).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True)
    for number in range(3):
        expected = ainet.read_image(tmp_path / "stack.tif", page=number, stretch="none")
        with tifffile.TiffFile(tmp_path / "stack.tif") as file:
            text = file.pages[0].description
        tifffile.imwrite(tmp_path / "one.tif", stack[number], photometric="minisblack", description=text, metadata=None)
        np.testing.assert_array_equal(ainet.read_image(tmp_path / "one.tif", stretch="none"), expected)


def test_white_is_zero_leaves_alpha(tmp_path: Path) -> None:
    values = np.full((40, 50, 2), 65535, np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="miniswhite", extrasamples=["unassalpha"])
    assert not ainet.read_image(tmp_path / "x.tif", stretch="none", bands=(1,)).any()
    assert (ainet.read_image(tmp_path / "x.tif", stretch="none", bands=(2,)) == 255).all()


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_deep_grey_with_alpha(tmp_path: Path, kind: str) -> None:
    grey = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint16) * 40
    tifffile.imwrite(tmp_path / "x.tif", np.dstack([grey, np.full_like(grey, 65535)]), photometric="minisblack", extrasamples=[kind])
    if kind == "unspecified":
        with pytest.raises(ImageError, match=r"has 2 bands; choose one with bands="):
            ainet.read_image(tmp_path / "x.tif", stretch=(0, 4080))
    else:
        np.testing.assert_allclose(ainet.read_image(tmp_path / "x.tif", stretch=(0, 4080))[:, :, 1], grey / 16, atol=0.51)
    np.testing.assert_allclose(ainet.read_image(tmp_path / "x.tif", stretch=(0, 4080), bands=(1,))[:, :, 1], grey / 16, atol=0.51)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_white_is_zero_of_fewer_bits_than_the_type(tmp_path: Path, bits: int) -> None:
    if bits < 16:
        pytest.importorskip("imagecodecs")  # which packs them
    values = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint16) * 10
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="miniswhite", bitspersample=bits)
    top = 2**bits - 1
    np.testing.assert_allclose(ainet.read_image(tmp_path / "x.tif", stretch=(0, top))[:, :, 0], (top - values) * (255 / top), atol=0.51)


@pytest.mark.parametrize("bits", [8, 16])
def test_metamorph_stacks(tmp_path: Path, bits: int) -> None:
    """Their tag UIC2 has as many values as there are planes; one is a picture as others are."""
    plane = (np.add.outer(np.arange(40), np.arange(50)) % 251).astype(f"u{bits // 8}")
    for planes in (1, 3):
        uic2 = (33629, "2I", planes, tuple(range(2 * planes)), False)
        tifffile.imwrite(tmp_path / f"{planes}.tif", plane, photometric="minisblack", metadata=None, extratags=[uic2])
    assert (ainet.read_image(tmp_path / "1.tif", stretch=(0, 255))[:, :, 0] == plane).all()
    with pytest.raises(ImageError, match="has a stack of planes behind one page"):
        ainet.read_image(tmp_path / "3.tif", stretch=(0, 255))


def test_grey_with_alpha_and_more_is_no_rgb(tmp_path: Path) -> None:
    grey = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    bands = np.dstack([grey, np.full_like(grey, 255), np.full_like(grey, 255)])
    tifffile.imwrite(tmp_path / "x.tif", bands, photometric="minisblack", extrasamples=["unassalpha", "unspecified"], metadata=None)
    with pytest.raises(ImageError, match="has 3 bands; choose"):
        ainet.read_image(tmp_path / "x.tif")
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif", bands=(1,))[:, :, 0], grey)


@pytest.mark.parametrize("layout", ["contig", "separate"])
def test_grey_with_alpha(tmp_path: Path, layout: str) -> None:
    grey = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    bands = np.stack([grey, np.full_like(grey, 9)], -1 if layout == "contig" else 0)
    kind = {"photometric": "minisblack", "extrasamples": ["unassalpha"], "planarconfig": layout, "metadata": None}
    tifffile.imwrite(tmp_path / "x.tif", bands, **kind)
    np.testing.assert_array_equal(ainet.read_image(tmp_path / "x.tif")[:, :, 0], grey)
    assert (ainet.read_image(tmp_path / "x.tif", bands=(2,)) == 9).all()
