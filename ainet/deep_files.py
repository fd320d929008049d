"""Deep values of PNG, PPM, PGM and JPEG 2000 files as they stand in the file: Pillow cuts or rescales them, OpenCV does not."""

import contextlib
import io
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ainet.decoding import upright
from ainet.errors import ImageError
from ainet.tiff import ORIENTATION

DEEP_GREY = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})  # modes of Pillow that keep all bits
WITH_OPENCV = frozenset({"PNG", "PPM", "JPEG2000"})  # formats of Pillow
CODESTREAM = b"\xff\x4f\xff\x51"  # markers with which that of JPEG 2000 begins

_LOGGING = threading.Lock()  # OpenCV's level is one for all threads


def loses_depth(image: Image.Image) -> bool:
    """Whether Pillow would cut or rescale the values of a file that it has not read yet: only the decoder's arguments tell."""
    if image.format == "JPEG2000":
        return _jpeg2000_loses_depth(image)
    for codec, _, _, arguments in getattr(image, "tile", ()):
        if codec == "SGI16" or (";16" in str(arguments) and image.mode not in DEEP_GREY):
            return True
        if image.format == "PPM" and image.mode == "I":  # of 16 bits, which become 32
            return True
        if codec.startswith("ppm") and isinstance(arguments, tuple) and arguments[1] > 255:
            return True
    return False


def read_deep(image: ImageFile.ImageFile, content: bytes, name: object, native: bool) -> NDArray[np.uint16]:
    """Pixels (H, W) or (H, W, C), grey, RGB or RGBA, of a file that Pillow has opened as `image`; `native`: also grey with alpha.

    Raises:
        ImageError: it is damaged, or has values that OpenCV does not read.
    """
    if image.format == "JPEG2000":
        _check_jpeg2000(image, content, name)
    has_grey_and_alpha = "LA;16" in str(image.tile)  # of PNG files, whose mode is RGBA all the same
    with Image.open(io.BytesIO(content)) as untouched:
        untouched.verify()  # OpenCV takes the memory that a damaged length asks for
    with _silent():
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError(f"{name} is damaged or cut off; fetch it again")
    if has_grey_and_alpha:
        pixels = pixels[:, :, [0, 3]] if native else pixels[:, :, 0]  # OpenCV repeats the grey
    elif pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return upright(pixels, image.getexif().get(ORIENTATION, 1))


def _jpeg2000_loses_depth(image: Image.Image) -> bool:
    file = getattr(image, "fp", None)
    if file is None or not getattr(image, "tile", ()):  # it has been read
        return False
    place = file.tell()
    file.seek(0)
    colours = _colours(_jpeg2000_layout(file.read())[1])
    file.seek(place)
    return any(signed or bits < 8 or (bits > 8 and not (bits == 16 and image.mode in DEEP_GREY)) for bits, signed in colours)


def _check_jpeg2000(image: Image.Image, content: bytes, name: object) -> None:
    size, components = _jpeg2000_layout(content)
    if size != image.size:
        raise ImageError(f"{name} is damaged: its header and its content differ in size; fetch it again")
    colours = _colours(components)
    bits = max(bits for bits, _ in colours)
    if any(signed for _, signed in colours):
        kind = "signed values"
    elif not 8 <= bits <= 16:
        kind = f"values of {bits} bits"
    elif image.mode not in (*DEEP_GREY, "L", "RGB", "RGBA"):  # L of 9 bits
        kind = f"{len(components)} bands of {bits} bits"
    else:
        return
    raise ImageError(f"{name} has {kind}, which are not read from JPEG 2000; convert it to TIFF, which keeps them")


def _colours(components: Sequence[tuple[int, bool]]) -> Sequence[tuple[int, bool]]:
    """The components but alpha, which may have fewer bits."""
    return components[:1] if len(components) < 3 else components[:3]


def _jpeg2000_layout(content: bytes) -> tuple[tuple[int, int], list[tuple[int, bool]]]:
    """Width and height; and of each component the bits, and whether its values are signed.

    The segment SIZ, which begins the codestream: ISO/IEC 15444-1, A.5.1.
    """
    start = content.find(CODESTREAM)
    if start < 0:
        raise ValueError("it has no codestream of JPEG 2000")
    right, bottom, left, top = struct.unpack_from(">4I", content, start + 8)
    (count,) = struct.unpack_from(">H", content, start + 40)
    depths = [content[start + 42 + 3 * component] for component in range(count)]
    return (right - left, bottom - top), [((depth & 127) + 1, depth > 127) for depth in depths]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep off the terminal what OpenCV logs of a file, of which our own errors speak."""
    with _LOGGING:
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(level)
