"""What all readers of images share: how decoders' errors are told, how large an image may be, and which way is up."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ainet.errors import AINetError, ImageError

MAX_IMAGE_PIXELS = 2**26  # 67 megapixels: an 8192 x 8192 image, twice the pixels of 8K UHD


@contextlib.contextmanager
def decoding(name: object) -> Iterator[None]:
    """Around decoders: what they raise becomes an `ImageError` that calls the image `name`; errors of ours pass."""
    try:
        yield
    except (AINetError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has far more than {MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; scale it down or cut it") from error
    except OSError as error:
        if error.errno is not None:
            raise ImageError(f"cannot read {name}: {error.strerror}; check the path") from error
        raise ImageError(f"{name} is damaged or cut off ({error}); fetch it again") from error
    except Exception as error:  # what decoders meet in broken streams has no common base
        raise ImageError(f"{name} is damaged ({error}); fetch it again") from error


def check_size(height: int, width: int, name: object = "an image") -> None:
    """Raise `ImageError` for an image over 67 megapixels."""
    if height * width > MAX_IMAGE_PIXELS:
        size = f"{height}x{width}"
        raise ImageError(f"{name} has {size} pixels, more than {MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; scale it down or cut it")


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels turned as an EXIF or TIFF orientation, 1 to 8, says; other numbers mean nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
