"""Pages of TIFF files with tifffile: deep and many bands, planes band after band, 32-bit integers, BigTIFF, over 67 megapixels.

with open_tiff(Path("scene.tif")) as pages:
    pixels = pages.read(0, native=True)  # (H, W) or (H, W, C), of the file's type
"""

import contextlib
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ainet.decoding import MAX_DECODED_PIXELS, MAX_IMAGE_PIXELS, check_decoded_size, check_size, decoding, how_to_convert, upright
from ainet.errors import DeviceError, ImageError
from ainet.scratch import allocate
from ainet.wrong_content import read_head

MAX_PAGE_BYTES = 2**33
MAX_PIXEL_BYTES = 32  # on the average of a page of as many pixels as may be
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SAMPLES, BITS, PHOTOMETRIC, SAMPLE_FORMAT, KIND, OLD_KIND, ORIENTATION = 277, 258, 262, 339, 254, 255, 274  # numbers of tags
DESCRIPTION, METAMORPH, COMPRESSION, PLANES, EXTRA_SAMPLES, DEPTH = 270, 33629, 259, 284, 338, 32997
BAND_AFTER_BAND = 2  # value of PLANES
MULTIPLIED, NOT_MULTIPLIED = 1, 2  # values of EXTRA_SAMPLES: alpha, by which the colours are multiplied or not
UNSIGNED, SIGNED = 1, 2  # values of SAMPLE_FORMAT
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6  # values of PHOTOMETRIC
KINDS = {5: "CMYK", 6: "YCbCr", 8: "L*a*b*", 9: "L*a*b*", 10: "L*a*b*", 32803: "raw camera data", 34892: "raw camera data"}  # others
UNCOMPRESSED, COMPRESSED_JPEG, COMPRESSED_WEBP = 1, 7, 50001  # values of COMPRESSION

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # or Python would print what it logs of files, of which our errors speak


def is_page(kind: int, old_kind: int) -> bool:
    """Whether the tags KIND and OLD_KIND speak of a page, not of a smaller copy of one, such as a thumbnail, or of a mask."""
    return not kind & (1 | 4) and old_kind != 2


def planes_described(description: str, of_metamorph: int, values: int) -> int:
    """How many planes a page of so many values has behind it, itself counted, as ImageJ, MetaMorph and tifffile write stacks; 1 for none.

    description: of the page, which other programs may have copied to one without planes. of_metamorph: values of MetaMorph's tag, or 0.
    """
    if description.startswith("ImageJ="):
        images = re.search(r"^images=(\d{1,18})\s*$", description, re.MULTILINE)
        return 1 if images is None else int(images[1])
    shape = re.search(r'"shape": \[(\d{1,18}(?:, \d{1,18})*)\].*"truncated": true', description)
    if shape is not None:
        return math.prod(map(int, shape[1].split(","))) // values
    return max(1, of_metamorph)


class TiffPages:
    """The pages of an open TIFF file."""

    def __init__(self, tiff: Any, file: Path, most: int) -> None:
        self._tiff, self._file, self._most = tiff, file, most
        tags = [page.aspage().tags for page in _one_by_one(tiff, file)]
        kinds = [(int(entries.valueof(KIND, default=0)), int(entries.valueof(OLD_KIND, default=1))) for entries in tags]
        self._frames = [frame for frame, kind in enumerate(kinds) if is_page(*kind)] or [0]

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def orientation(self) -> int:
        """Of the first page, 1 to 8."""
        return _orientation(self._tiff.pages[self._frames[0]].aspage())

    def read(self, number: int, native: bool = False) -> NDArray[Any]:
        """Pixels (H, W) or (H, W, C) of a page, upright; of more than three bands those of RGB, unless all are wanted `native`."""
        with decoding(self._file):
            return self.read_frame(self._frames[number], native)

    def read_frame(self, frame: int, native: bool) -> NDArray[Any]:
        """The same by the number that the page has among the copies and masks."""
        page = self._tiff.pages[frame].aspage()
        samples, photometric = int(page.samplesperpixel), int(page.photometric)
        self._check(page, samples, photometric, native)
        try:
            pixels = page.asarray(out=allocate(page.shape, page.dtype.newbyteorder("=")))
        except Exception as error:  # NotImplementedError or ValueError, as the codec may be
            if "imagecodecs" in str(error):
                raise _needs(self._file, "imagecodecs") from error
            raise
        if page.axes.startswith("S"):  # band after band
            pixels = np.moveaxis(pixels, 0, -1)
        if photometric == WHITE_IS_ZERO:
            _invert(pixels if samples == 1 else pixels[:, :, : samples - len(page.extrasamples)], page.bitspersample)
        elif photometric == PALETTE:
            palette = (page.colormap.T >> 8).astype(np.uint8)
            pixels = np.take(palette, pixels, axis=0, out=allocate((*pixels.shape, 3), np.uint8), mode="clip")
        if pixels.dtype == np.bool_:
            pixels = np.multiply(pixels, 255, dtype=np.uint8)
        if samples > 1 and MULTIPLIED in page.extrasamples:
            first = samples - len(page.extrasamples)
            _divide_by_alpha(pixels[:, :, :first], pixels[:, :, first + page.extrasamples.index(MULTIPLIED)])
        pixels = upright(pixels, _orientation(page))
        if native or samples == 1:
            return pixels
        return pixels[:, :, :1] if _is_grey_with_alpha(page) else pixels[:, :, :3]

    def _check(self, page: Any, samples: int, photometric: int, native: bool) -> None:
        """Raise `ImageError` for a page that is too large, or whose bands cannot be told to be colours."""
        size = page.imagelength, page.imagewidth
        if page.imagedepth > 1:
            raise ImageError(f"{self._file} has a volume of {page.imagedepth} planes; save each as a page or file of its own")
        if self._has_planes_behind(page, math.prod(size) * samples):
            raise ImageError(f"{self._file} has a stack of planes behind one page; save each as a page or file of its own")
        if self._most <= MAX_DECODED_PIXELS:
            check_decoded_size(*size, self._file)
        check_size(*size, self._file, self._most)
        if math.prod(size) > MAX_DECODED_PIXELS:
            self._check_pieces(page, samples)
        if page.nbytes > min(MAX_PAGE_BYTES, MAX_PIXEL_BYTES * self._most):
            raise ImageError(f"{self._file} has {samples} bands of {page.dtype}, {page.nbytes / 1e9:.1f} GB; cut it")
        if native:
            return
        known = {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE} | ({YCBCR} if page.compression == COMPRESSED_JPEG else set())
        if photometric not in known:
            kind = KINDS.get(photometric, f"photometric interpretation {photometric}")
            raise ImageError(
                f"{self._file} has colours of the kind {kind}, {page.dtype}, which are not converted here; {how_to_convert(self._file)}"
            )
        has_alpha = not {MULTIPLIED, NOT_MULTIPLIED}.isdisjoint(page.extrasamples)
        if photometric != RGB and not (samples == 1 or (samples == 3 and not has_alpha) or _is_grey_with_alpha(page)):
            choice = "one with bands= (--bands), such as 1" if samples == 2 else "one or three with bands= (--bands), such as 3,2,1"
            raise ImageError(f"{self._file} has {samples} bands; choose {choice}")

    def _has_planes_behind(self, page: Any, values: int) -> bool:
        of_metamorph = page.tags.get(METAMORPH)
        planes = planes_described(str(page.description), 0 if of_metamorph is None else of_metamorph.count, values)
        if planes <= len(self._frames):  # each has a page of its own
            return False
        return of_metamorph is not None or page.dataoffsets[0] + planes * page.nbytes <= self._tiff.filehandle.size

    def _check_pieces(self, page: Any, samples: int) -> None:
        """Raise `ImageError` unless a large page is decoded piece by piece, each of which is there."""
        piece = math.prod(page.chunks) // (samples if page.planarconfig == 1 else 1)
        if piece > MAX_DECODED_PIXELS and page.compression != UNCOMPRESSED:
            raise ImageError(f"{self._file} is compressed in one piece of {piece / 1e6:.0f} megapixels; save it in tiles, or cut it")
        if len(page.dataoffsets) < math.prod(page.chunked):
            raise ImageError(
                f"{self._file} is damaged: {len(page.dataoffsets)} of {math.prod(page.chunked)} tiles are there; fetch it again"
            )


def _invert(grey: NDArray[Any], bits: int) -> None:
    """Make black of white, in place; bits: of a value, which may be fewer than those of its type."""
    if grey.dtype.kind == "f":
        np.subtract(1, grey, out=grey)
    elif grey.dtype.kind == "u":
        np.subtract(grey.dtype.type(2**bits - 1), grey, out=grey)
    else:
        np.invert(grey, out=grey)


def _is_grey_with_alpha(page: Any) -> bool:
    return int(page.samplesperpixel) == 2 and tuple(page.extrasamples) in ((MULTIPLIED,), (NOT_MULTIPLIED,))


def _divide_by_alpha(colours: NDArray[Any], alpha: NDArray[Any]) -> None:
    """Undo, in place, that colours were multiplied by alpha; rounded down, as by Pillow. Where alpha is 0 they stay."""
    for row, opacity in zip(colours, alpha, strict=True):
        if colours.dtype.kind == "f":
            row /= np.where(opacity > 0, opacity, 1)[:, None]
        else:
            top = np.iinfo(colours.dtype).max
            divisor = np.where(opacity > 0, opacity, top)[:, None]
            row[...] = np.minimum(row.astype(np.float64) * top // divisor, top)


def _one_by_one(tiff: Any, file: Path) -> Iterator[Any]:
    """The pages, each of which says where the next one is."""
    seen = set()
    for page in tiff.pages:
        if page.offset and page.offset in seen:  # some that tifffile makes up have none
            raise ImageError(f"{file} is damaged: its pages go round in a circle; fetch it again")
        seen.add(page.offset)
        yield page


def _orientation(page: Any) -> int:
    return int(page.tags.valueof(ORIENTATION, default=1))


def is_tiff(file: Path, data: BinaryIO | None) -> bool:
    """Whether the file, or its content `data`, begins as TIFF files do."""
    return read_head(file, data).startswith(MAGIC)


@contextlib.contextmanager
def open_tiff(file: Path, data: BinaryIO | None = None, most: int = MAX_IMAGE_PIXELS) -> Iterator[TiffPages]:
    """Open a TIFF file, or its content `data`, whose name is `file`.

    Raises:
        DeviceError: tifffile, or what it needs for a compression, is not installed.
        ImageError: it is damaged, or a page has more than `most` pixels, or 8.6 GB; this also from reading a page.
    """
    try:
        import tifffile
    except ImportError as error:
        raise _needs(file, "tifffile") from error
    with decoding(file):
        if data is not None:
            data.seek(0)
        with tifffile.TiffFile(file if data is None else data) as tiff:
            yield TiffPages(tiff, file, most)


def _needs(file: Path, package: str) -> DeviceError:
    return DeviceError(
        f"reading {file}, a TIFF file of a kind that Pillow does not read, needs the package {package}: pip install 'ainet-toolkit[tiff]'"
    )
