"""Pages of TIFF files with tifffile: deep and many bands, planes band after band, 32-bit integers, BigTIFF.

with open_tiff(Path("scene.tif")) as pages:
    pixels = pages.read(0, native=True)  # (H, W) or (H, W, C), of the file's type
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ainet.decoding import check_size, decoding, upright
from ainet.errors import DeviceError, ImageError

MAX_PAGE_BYTES = 2**31
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SAMPLES, BITS, PHOTOMETRIC, SAMPLE_FORMAT, KIND, OLD_KIND, ORIENTATION = 277, 258, 262, 339, 254, 255, 274  # numbers of tags
WHITE_IS_ZERO, RGB = 0, 2  # values of PHOTOMETRIC


def is_page(kind: int, old_kind: int) -> bool:
    """Whether the tags KIND and OLD_KIND speak of a page, not of a smaller copy of one, such as a thumbnail, or of a mask."""
    return not kind & (1 | 4) and old_kind != 2


class TiffPages:
    """The pages of an open TIFF file."""

    def __init__(self, tiff: Any, file: Path) -> None:
        self._tiff, self._file = tiff, file
        tags = [page.aspage().tags for page in tiff.pages]
        kinds = [(int(entries.valueof(KIND, default=0)), int(entries.valueof(OLD_KIND, default=1))) for entries in tags]
        self._frames = [frame for frame, kind in enumerate(kinds) if is_page(*kind)] or [0]

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, number: int, native: bool = False) -> NDArray[Any]:
        """Pixels (H, W) or (H, W, C) of a page, upright; of more than three bands those of RGB, unless all are wanted `native`."""
        with decoding(self._file):
            return self.read_frame(self._frames[number], native)

    def read_frame(self, frame: int, native: bool) -> NDArray[Any]:
        """The same by the number that the page has among the copies and masks."""
        page = self._tiff.pages[frame].aspage()
        check_size(page.imagelength, page.imagewidth, self._file)
        samples, photometric = int(page.samplesperpixel), int(page.photometric)
        if page.nbytes > MAX_PAGE_BYTES:
            raise ImageError(f"{self._file} has {samples} bands of {page.dtype}, {page.nbytes / 1e9:.1f} GB; cut it")
        if not native and samples not in (1, 3) and photometric != RGB:
            raise ImageError(f"{self._file} has {samples} bands; choose one or three with bands= (--bands), such as 3,2,1")
        try:
            pixels = page.asarray()
        except ValueError as error:
            if "imagecodecs" in str(error):
                raise _needs(self._file, "imagecodecs") from error
            raise
        if page.axes.startswith("S"):  # band after band
            pixels = np.moveaxis(pixels, 0, -1)
        if photometric == WHITE_IS_ZERO:
            pixels = 1 - pixels if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max - pixels
        pixels = upright(pixels, int(page.tags.valueof(ORIENTATION, default=1)))
        return pixels if native or samples == 1 else pixels[:, :, :3]


def is_tiff(file: Path, data: BinaryIO | None) -> bool:
    """Whether the file, or its content `data`, begins as TIFF files do."""
    if data is not None:
        data.seek(0)
        return data.read(4) in MAGIC
    with file.open("rb") as stream:
        return stream.read(4) in MAGIC


@contextlib.contextmanager
def open_tiff(file: Path, data: BinaryIO | None = None) -> Iterator[TiffPages]:
    """Open a TIFF file, or its content `data`, whose name is `file`.

    Raises:
        DeviceError: tifffile, or what it needs for a compression, is not installed.
        ImageError: it is damaged, or a page over 67 megapixels or 2 GB.
    """
    try:
        import tifffile
    except ImportError as error:
        raise _needs(file, "tifffile") from error
    with decoding(file):
        if data is not None:
            data.seek(0)
        with tifffile.TiffFile(file if data is None else data) as tiff:
            yield TiffPages(tiff, file)


def _needs(file: Path, package: str) -> DeviceError:
    return DeviceError(f"reading {file}, a TIFF file of deep or many bands, needs the package {package}: pip install 'ainet-toolkit[tiff]'")
