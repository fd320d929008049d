"""Images as other libraries hold them: read as their files are, or refused by an error of ours."""

import io
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.paths import PHOTOS
from support.profiles import cmyk_profile

import ainet
from ainet import Segmenter
from ainet.errors import ImageError, UsageError
from ainet.images import as_rgb
from ainet.labels import write_labels

RGB = np.asarray(Image.open(PHOTOS / "chelsea.jpg").crop((100, 60, 164, 108)))  # (48, 64, 3)


def through_file(picture: Image.Image, path: Path, **options: Any) -> NDArray[np.uint8]:
    picture.save(path, **options)
    return ainet.read_image(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "HSV", "YCbCr", "LAB"])
def test_pillow_modes(mode: str) -> None:
    picture = Image.fromarray(RGB)
    picture = (
        picture.convert("P").convert("PA")
        if mode == "PA"
        else picture.convert("RGBA" if mode == "RGBX" else mode)
        if mode != "LAB"
        else Image.new("LAB", (64, 48), (128, 128, 128))
    )
    expected = np.full(RGB.shape, 119) if mode == "LAB" else np.asarray(picture.convert("RGB"))
    np.testing.assert_allclose(as_rgb(picture), expected, atol=2 if mode == "LAB" else 0)


def test_pillow_images_are_read_as_their_files(tmp_path: Path, segmenter: Segmenter) -> None:
    picture = Image.fromarray(RGB)
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = picture.quantize(32)
    for name, written, options in (
        ("turned.jpg", picture, {"exif": exif, "quality": 95}),
        ("palette.png", palette, {}),
        ("inks.tif", picture.convert("CMYK"), {"icc_profile": cmyk_profile()}),
        ("clear.gif", palette, {"transparency": 3}),
    ):
        expected = through_file(written, tmp_path / name, **options)
        np.testing.assert_array_equal(as_rgb(Image.open(tmp_path / name)), expected)
        np.testing.assert_array_equal(segmenter(Image.open(tmp_path / name), 12), segmenter(expected, 12))
    with pytest.raises(ImageError, match="CMYK colours without a profile"):
        segmenter(picture.convert("CMYK"), 12)


def test_pillow_images_of_several_pages(tmp_path: Path) -> None:
    """They stand at one, which counts, as it does for Pillow itself; their files are refused without a page."""
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1])
    for suffix in ("gif", "tif", "png"):
        first.save(tmp_path / f"x.{suffix}", save_all=True, append_images=[second])
        with Image.open(tmp_path / f"x.{suffix}") as picture:
            for page in (0, 1):
                picture.seek(page)
                np.testing.assert_array_equal(as_rgb(picture), ainet.read_image(tmp_path / f"x.{suffix}", page=page))
            with pytest.raises(UsageError, match=r"the one that it stands at \(image\.seek\)"):
                ainet.read_image(picture, page=1)


def test_deep_pillow_images() -> None:
    values = (RGB[:, :, 0].astype(np.uint16) * 16) + 5
    for picture in (Image.fromarray(values), Image.fromarray(values.astype(np.int32)), Image.fromarray(values.astype(np.float32))):
        with pytest.raises(ImageError, match="stretch="):
            as_rgb(picture)
        expected = np.round(values / 4095.0 * 255)
        np.testing.assert_allclose(ainet.read_image(picture, stretch=(0, 4095))[:, :, 0], expected, atol=1)


def test_alpha_of_pillow_images(segmenter: Segmenter) -> None:
    picture = Image.fromarray(RGB)
    hole = np.full((48, 64), 255, np.uint8)
    hole[:20, :30] = 0
    picture.putalpha(Image.fromarray(hole))
    labels = segmenter(picture, 12, mask="alpha")
    np.testing.assert_array_equal(labels == 0, hole == 0)
    np.testing.assert_array_equal(labels, segmenter(np.dstack([RGB, hole]), 12, mask="alpha"))
    with pytest.raises(ImageError, match="alpha"):
        segmenter(picture.convert("RGB"), 12, mask="alpha")


def test_lists_of_pillow_images(segmenter: Segmenter) -> None:
    one, two = segmenter([Image.fromarray(RGB), Image.fromarray(RGB[:32, :40])], 12)
    np.testing.assert_array_equal(one, segmenter(RGB, 12))
    np.testing.assert_array_equal(two, segmenter(RGB[:32, :40], 12))
    images = (RGB, RGB[:32, :40])
    for found, image in zip(segmenter(images, 12), images, strict=True):
        np.testing.assert_array_equal(found, segmenter(image, 12))


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "BytesIO", "file"])
def test_contents_of_files(tmp_path: Path, kind: str) -> None:
    Image.fromarray(RGB).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    with (tmp_path / "x.png").open("rb") as file:
        source = {"bytes": data, "bytearray": bytearray(data), "memoryview": memoryview(data), "BytesIO": io.BytesIO(data), "file": file}[
            kind
        ]
        np.testing.assert_array_equal(ainet.read_image(source), RGB)
        if kind in ("BytesIO", "file"):
            np.testing.assert_array_equal(ainet.read_image(source), RGB)  # from its start again
    with pytest.raises(ImageError, match="the image is damaged or cut off"):
        ainet.read_image(data[:-300])
    with pytest.raises(ImageError, match="the image is not an image: it is empty"):
        ainet.read_image(b"")
    for encoding in ("latin-1", "utf-8"):  # as which the content cannot be read
        with (
            (tmp_path / "x.png").open(encoding=encoding) as text,
            pytest.raises(UsageError, match='opened as text; open it with mode "rb"'),
        ):
            ainet.read_image(text)
    with pytest.raises(UsageError, match='mode "rb"'):
        ainet.read_image(io.StringIO("x"))


def test_lists_of_numbers() -> None:
    np.testing.assert_array_equal(as_rgb(RGB.tolist()), RGB)
    np.testing.assert_array_equal(as_rgb((RGB / 255).tolist()), RGB)
    np.testing.assert_array_equal(as_rgb([[0, 255], [7, 8]])[:, :, 2], [[0, 255], [7, 8]])
    for bad in ([[0, 256]], [[-1, 5]], [[1, 2], [3]], [["a"]], [[None]], [], [[1j]]):
        with pytest.raises(ImageError):
            as_rgb(bad)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_at_one_and_a_little(dtype: type) -> None:
    image = (RGB / 255).astype(dtype)
    image[0, 0] = np.nextafter(dtype(1), dtype(2))
    image[0, 1] = np.nextafter(dtype(0), dtype(-1))
    image[0, 2] = -0.0
    assert as_rgb(image)[0, :3].tolist() == [[255] * 3, [0] * 3, [0] * 3]
    image[0, 0] = 1.01
    with pytest.raises(ImageError, match=r"values go from .* to 1\.0"):
        as_rgb(image)


def test_channels_that_come_first() -> None:
    with pytest.raises(ImageError, match=r"not \(3, 48, 64\); colours come last: numpy\.moveaxis"):
        as_rgb(np.moveaxis(RGB, 2, 0))
    with pytest.raises(ImageError, match=r"bands="):
        as_rgb(np.dstack([RGB, RGB]))


def test_masked_arrays(segmenter: Segmenter) -> None:
    hidden = np.zeros((48, 64), bool)
    hidden[:20, :30] = True
    masked = np.ma.MaskedArray(RGB, np.repeat(hidden[:, :, None], 3, 2))
    np.testing.assert_array_equal(segmenter(masked, 12), segmenter(RGB, 12, mask=~hidden))
    np.testing.assert_array_equal(segmenter([masked], 12)[0], segmenter(RGB, 12, mask=~hidden))
    with pytest.raises(UsageError, match="a batch with masks"):
        segmenter(masked[None], 12)
    np.testing.assert_array_equal(segmenter(np.ma.MaskedArray(RGB)[None], 12)[0], segmenter(RGB, 12))


@pytest.mark.parametrize("shape", [(5,), (1, 1, 4, 5, 3)])
def test_masked_arrays_of_other_axes(segmenter: Segmenter, shape: tuple[int, ...]) -> None:
    masked = np.ma.masked_less(np.zeros(shape, np.uint8), 1)
    for use in (segmenter, segmenter.hierarchy, lambda image: ainet.Hierarchy.from_labels(np.zeros((4, 5), int), image)):
        with pytest.raises(ImageError, match=rf"must have shape .*, not {re.escape(str(shape))}"):
            use(masked)


def check_refused(use: Callable[..., Any], *arguments: Any) -> None:
    with pytest.raises(UsageError, match="is a masked array"):
        use(*arguments)


def test_masks_that_would_be_dropped(segmenter: Segmenter) -> None:
    """An image and an association map have no place for a mask; one that hides nothing is none."""
    masked = np.ma.masked_less(RGB, 100)
    for read in (ainet.read_image, segmenter.association, lambda image: ainet.read_image(image, stretch="minmax")):
        with pytest.raises(UsageError, match=r"the image is a masked array; fill what it hides, such as with \.filled\(0\)"):
            read(masked)
    labels = np.arange(48 * 64).reshape(48, 64) // 700
    hidden = np.ma.masked_less(labels, 2)
    for use in (ainet.overlay, ainet.mean_colour):
        check_refused(use, masked, labels)
        check_refused(use, RGB, hidden)
    for use in (ainet.region_table, ainet.graph, ainet.Hierarchy.from_labels):
        check_refused(use, hidden, RGB)
    for use in (ainet.region_table, ainet.graph):
        check_refused(use, labels, masked)
    for use in (ainet.boundaries, ainet.adjacency, ainet.polygons, lambda labels: write_labels("nowhere/x.npy", labels)):
        check_refused(use, hidden)
    table = ainet.region_table(labels, np.ma.MaskedArray(RGB))  # hides nothing
    np.testing.assert_allclose(table["mean_colour"][0], RGB.reshape(-1, 3)[:700].mean(0))
    np.testing.assert_array_equal(ainet.read_image(np.ma.MaskedArray(RGB)), RGB)
    assert type(ainet.read_image(np.ma.MaskedArray(RGB))) is np.ndarray


def test_colours_multiplied_by_alpha(segmenter: Segmenter) -> None:
    """Pillow has modes for them which it converts to those with alpha alone."""
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    alpha[:10] = 128
    whole = Image.fromarray(np.dstack([RGB, alpha]))
    for mode, plain in (("RGBa", "RGBA"), ("La", "LA")):
        multiplied = whole.convert(plain).convert(mode)
        np.testing.assert_array_equal(ainet.read_image(multiplied), np.array(multiplied.convert(plain).convert("RGB")))
        np.testing.assert_array_equal(ainet.read_image(multiplied)[10:], np.array(whole.convert(plain).convert("RGB"))[10:])
        assert segmenter(multiplied, 12, mask="alpha").shape == RGB.shape[:2]


def test_tensors(segmenter: Segmenter) -> None:
    torch = pytest.importorskip("torch")
    expected = segmenter(RGB, 12)
    exact = torch.from_numpy(RGB.copy())
    for tensor in (exact, (exact / 255).requires_grad_(), exact.double() / 255, exact.permute(1, 0, 2).contiguous().permute(1, 0, 2)):
        np.testing.assert_array_equal(segmenter(tensor, 12), expected)
    rounded = (exact / 255).to(torch.bfloat16).requires_grad_()
    np.testing.assert_array_equal(as_rgb(rounded), as_rgb(rounded.detach().float().numpy()))
    np.testing.assert_array_equal(segmenter(exact[None], 12)[0], expected)
    np.testing.assert_array_equal(segmenter([exact, exact[:32, :40]], 12)[0], expected)
    for bad in (exact.to("meta"), exact.to_sparse(), exact.permute(2, 0, 1), torch.quantize_per_tensor(exact.float(), 1, 0, torch.quint8)):
        with pytest.raises(ImageError):
            segmenter(bad, 12)
    labels = torch.from_numpy(expected.astype(np.int64))
    np.testing.assert_array_equal(ainet.overlay(exact, labels), ainet.overlay(RGB, expected))


class OnlyDLPack:
    """An array of a library that speaks DLPack alone."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


def test_arrays_that_speak_dlpack_alone(segmenter: Segmenter) -> None:
    np.testing.assert_array_equal(segmenter(OnlyDLPack(RGB.copy()), 12), segmenter(RGB, 12))


@pytest.mark.parametrize("image", ["photo.jpg", Path("photo.jpg"), b"\x89PNG", io.BytesIO(b""), object(), 5, {"a": 1}, None, range(3)])
def test_what_is_no_array(image: Any, segmenter: Segmenter) -> None:
    with pytest.raises(ImageError):
        segmenter(image)


@pytest.mark.parametrize("names", [["a.jpg"], ("a.jpg", "b.jpg"), [Path("a.jpg")], [b"a.jpg"]])
def test_lists_of_paths_are_refused_as_a_path_is(segmenter: Segmenter, names: Any) -> None:
    with pytest.raises(ImageError, match=r"no array of pixels; read the file first"):
        segmenter(names, 12)


DIGITS = 10**5000  # which Python writes out for nobody


@pytest.mark.parametrize("number", [DIGITS, -DIGITS], ids=["large", "small"])
@pytest.mark.parametrize(
    "call",
    [
        *({name: None} for name in ("n_segments", "scale", "start_label", "quality", "protocol", "compact")),
        *(["read_image", name] for name in ("stretch", "bands", "page")),
        *(["load", name] for name in ("model", "device", "threads", "precision")),
    ],
    ids=lambda call: "-".join(call),
)
def test_numbers_of_thousands_of_digits(number: int, call: Any, tmp_path: Path) -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "x.png")
    with pytest.raises(UsageError, match="this int"):
        match call:
            case ["read_image", name]:
                ainet.read_image(tmp_path / "x.png", **{name: number})
            case ["load", name]:
                ainet.Segmenter.load(**{name: number})
            case _:
                ainet.segment(photo, **dict.fromkeys(call, number))


@pytest.mark.parametrize("scale", [np.timedelta64(5), np.datetime64(5, "s"), Fraction(DIGITS, 1), Fraction(1, DIGITS)])
def test_scales_that_are_none(scale: Any) -> None:
    with pytest.raises(UsageError, match="scale"):
        ainet.segment(np.zeros((40, 50, 3), np.uint8), scale=scale)
