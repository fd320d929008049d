"""Images and label maps."""

import contextlib
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ainet import Segmenter
from ainet.errors import AINetError
from ainet.images import read_image, read_pages
from ainet.labels import read_labels, write_labels
from ainet.stretch import Bands, Stretch
from fuzz.containers import damaged_npy, damaged_png
from fuzz.mutations import damaged, damaged_text
from fuzz.target import Target

LABELS = np.arange(48, dtype=np.int32).reshape(6, 8) // 5
MANY_PIXELS = 2**16  # larger images are read, but not segmented


class Images(Target):
    """Photos in all formats: read, segmented, and the labels written and read again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.segmenter = Segmenter.load("scn", device="cpu", threads=1)

    def seeds(self) -> list[bytes]:
        plain, deep = _picture(), Image.fromarray(np.full((20, 20), 700, np.uint16))
        exif = Image.Exif()
        exif[274] = 6
        return [
            encoded(plain, "JPEG", exif=exif),
            encoded(plain.convert("CMYK"), "JPEG", progressive=True),
            encoded(plain, "BMP"),
            encoded(plain, "WEBP", lossless=True),
            encoded(plain, "WEBP"),
            encoded(plain, "TIFF"),
            encoded(plain, "TIFF", compression="tiff_lzw"),
            encoded(plain, "TIFF", compression="jpeg", save_all=True, append_images=[plain.rotate(90)]),
            encoded(deep, "TIFF"),
            encoded(plain, "PPM"),
            encoded(plain.quantize(16), "GIF", save_all=True, append_images=[plain.rotate(90).quantize(8)]),
            encoded(plain, "TGA"),
            encoded(plain, "JPEG2000"),
        ]

    def read(self, path: Path) -> None:
        image = read_image(path)
        assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
        if image.shape[0] * image.shape[1] > MANY_PIXELS:
            return
        labels = self.segmenter(image, 6, quality="fast")
        assert labels.shape == image.shape[:2]
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
        written = self.folder / "labels.npy"
        write_labels(written, labels)
        np.testing.assert_array_equal(read_labels(written), labels)


class PngImages(Images):
    file_name = "file.png"
    damages = (damaged, damaged_png, damaged_png)

    def seeds(self) -> list[bytes]:
        plain = _picture()
        return [
            encoded(plain, "PNG"),
            encoded(plain.quantize(16), "PNG", transparency=3),
            encoded(plain.convert("LA"), "PNG", dpi=(72, 72)),
            encoded(plain.convert("1"), "PNG"),
            encoded(Image.fromarray(np.full((32, 40), 700, np.uint16)), "PNG"),
            encoded(plain, "PNG", save_all=True, append_images=[plain.rotate(90)]),
        ]


class DeepImages(Target):
    """Deep images, of several bands and pages: every page, as it is and stretched."""

    file_name = "file.tif"

    def seeds(self) -> list[bytes]:
        rng = np.random.default_rng(5)
        bands = rng.integers(0, 4096, (20, 24, 5), np.uint16)
        plain = _picture()
        return [
            _tiff(bands[:, :, 0]),
            _tiff(bands[:, :, :3], photometric="rgb", compression="zlib", predictor=True),
            _tiff(bands, photometric="minisblack", planarconfig="contig", tile=(16, 16)),
            _tiff(np.moveaxis(bands, 2, 0), photometric="minisblack", planarconfig="separate", bigtiff=True),
            _tiff(bands[:, :, 0].astype(np.float32), byteorder=">"),
            _tiff(np.stack([bands[:, :, 0]] * 3), photometric="minisblack"),
            cv2.imencode(".jp2", np.full((64, 64, 3), 700, np.uint16))[1].tobytes(),
            encoded(Image.fromarray(bands[:, :, 0]), "PNG"),
            encoded(plain, "PNG", save_all=True, append_images=[plain.rotate(90)]),
            encoded(plain.quantize(16), "GIF", save_all=True, append_images=[plain.rotate(90).quantize(8)]),
        ]

    def read(self, path: Path) -> None:
        for stretch, bands in ((None, None), ("minmax", None), ("percentile", (3, 2, 1))):
            with contextlib.suppress(AINetError):
                _check_pages(path, stretch, bands)
        _check_pages(path, (0, 4095), (1,))


class LabelMaps(Target):
    def read(self, path: Path) -> None:
        check_labels(read_labels(path))


class NpyLabels(LabelMaps):
    file_name = "file.npy"
    damages = (damaged, damaged_npy, damaged_npy)

    def seeds(self) -> list[bytes]:
        arrays = [LABELS, LABELS.astype(np.uint16), np.asfortranarray(LABELS.astype(np.int64)), LABELS.astype(">u2")]
        return [_npy(array) for array in arrays]


class CsvLabels(LabelMaps):
    file_name = "file.csv"
    damages = (damaged, lambda data, random: damaged_text(data.decode(), random))

    def seeds(self) -> list[bytes]:
        lines = "\n".join(",".join(map(str, row)) for row in LABELS)
        return [lines.encode(), lines.replace(",", ", ").encode()]


class PngLabels(LabelMaps):
    file_name = "file.png"
    damages = (damaged, damaged_png, damaged_png)

    def seeds(self) -> list[bytes]:
        small = LABELS.astype(np.uint8)
        images = [Image.fromarray(LABELS.astype(np.uint16)), Image.fromarray(small), Image.fromarray(small).convert("P"), _picture()]
        return [encoded(image, "PNG") for image in images]


def _check_pages(path: Path, stretch: Stretch, bands: Bands) -> None:
    for _, page in read_pages(path, stretch=stretch, bands=bands):
        if isinstance(page, AINetError):
            raise page
        assert (page.dtype, page.ndim, page.shape[2]) == (np.uint8, 3, 3)


def check_labels(labels: NDArray[Any]) -> None:
    assert labels.dtype == np.int32 and labels.ndim == 2 and labels.size > 0 and labels.min() >= 0


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _picture() -> Image.Image:
    """Blocks of colour, 32 x 40."""
    blocks = np.random.default_rng(3).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(np.repeat(np.repeat(blocks, 8, 0), 8, 1))


def _tiff(array: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
