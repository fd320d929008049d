"""What all readers of images share: how decoders' errors are told, how large an image may be, and which way is up."""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ainet.errors import AINetError, ImageError
from ainet.quiet import quiet

MAX_DECODED_PIXELS = 2**26  # decoded at once, 67 megapixels: an 8192 x 8192 image, twice the pixels of 8K UHD
MAX_IMAGE_PIXELS = 2**30  # of arrays, and of TIFF files, whose tiles are decoded one by one
SMALLER = f"scale it down, cut it, or save it as a TIFF file in tiles, which may have {MAX_IMAGE_PIXELS / 1e6:,.0f} megapixels"


class LargeImageError(ImageError):
    """An image of more pixels than are decoded at once."""


@contextlib.contextmanager
def decoding(name: object) -> Iterator[None]:
    """Around decoders: what they raise becomes an `ImageError` that calls the image `name`, errors of ours pass; warnings are not shown."""
    try:
        with quiet():
            yield
    except (AINetError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise LargeImageError(f"{name} has far more than {MAX_DECODED_PIXELS / 1e6:.0f} megapixels; {SMALLER}") from error
    except OSError as error:
        if error.errno is not None:
            raise ImageError(f"cannot read {name}: {error.strerror}; check the path") from error
        if "Ghostscript" in str(error):
            raise ImageError(f"{name} needs Ghostscript, which is not installed here, to be drawn; convert it to PNG") from error
        raise ImageError(f"{name} is damaged or cut off ({error}); fetch it again") from error
    except Exception as error:  # what decoders meet in broken streams has no common base
        if isinstance(error, ValueError) and "closed" in str(error):
            raise ImageError(f"{name} is closed ({error}); open it again, and read it before it is closed") from error
        raise ImageError(f"{name} is damaged ({error}); fetch it again") from error


def how_to_convert(name: object) -> str:
    """What to do with colours that are not converted here."""
    file = Path(str(name))
    example = shlex.quote(file.name) if file.suffix else "FILE"
    return f"convert it to RGB first, for example: magick {example} -colorspace sRGB rgb.png"


def check_decoded_size(height: int, width: int, name: object) -> None:
    """Raise `LargeImageError` for an image that is not decoded at once, over 67 megapixels."""
    if height * width > MAX_DECODED_PIXELS:
        limit = f"{MAX_DECODED_PIXELS / 1e6:.0f} megapixels"
        raise LargeImageError(f"{name} has {height}x{width} pixels, more than {limit}; {SMALLER}")


def check_size(height: int, width: int, name: object = "an image", most: int = MAX_IMAGE_PIXELS) -> None:
    """Raise `ImageError` for an image of more than `most` pixels."""
    if height * width > most:
        raise ImageError(f"{name} has {height}x{width} pixels, more than {most / 1e6:,.0f} megapixels; scale it down or cut it")


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels turned as an EXIF or TIFF orientation, 1 to 8, says; other numbers mean nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
