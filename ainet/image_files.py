"""Image files, page by page, as pixels of whatever type and number of bands they have.

    with open_pages(Path("stack.tif")) as pages:
        for number in range(len(pages)):
            pixels = pages.read(number)  # (H, W) or (H, W, C)

Pillow reads what it reads without loss. Colours of 16 bits, of which it drops half, are read with OpenCV from PNG and PPM files, as are the
grey ones of PGM files, which it rescales; TIFF files of several deep bands, with tifffile.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from ainet import tiff
from ainet.decoding import MAX_DECODED_PIXELS, MAX_IMAGE_PIXELS, LargeImageError, check_decoded_size, decoding, upright
from ainet.errors import ImageError
from ainet.wrong_content import read_head, wrong_content

DEEP_GREY = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})  # modes of Pillow that keep all bits
ONE_IMAGE = frozenset({"MPO", "PSD"})  # formats whose further pictures are previews, depth, gain maps or layers
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv",
})  # fmt: skip


class Pages(Protocol):
    """The pages of an open file."""

    def __len__(self) -> int: ...

    def read(self, number: int, native: bool = False) -> NDArray[Any]:
        """Pixels (H, W) or (H, W, C) of a page, turned upright by its EXIF entry; colours as RGB, unless all bands are wanted `native`."""
        ...


class UnknownImageError(ImageError):
    """Pillow knows no format of this content."""


@contextlib.contextmanager
def open_pages(file: Path, data: BinaryIO | None = None, most: int = MAX_IMAGE_PIXELS) -> Iterator[Pages]:
    """Open an image file, or its content `data`, whose name is `file`, of at most so many pixels.

    Raises:
        ImageError: missing, damaged or no image, over 67 megapixels and no TIFF file in tiles or strips; this also from reading in the
            block.
        DeviceError: it needs a package that is not installed.
    """
    with contextlib.ExitStack() as stack:
        try:
            image = stack.enter_context(open_image(file, data=data))
        except (UnknownImageError, LargeImageError):
            if not tiff.is_tiff(file, data):
                raise
            yield stack.enter_context(tiff.open_tiff(file, data, most))
        else:
            yield _PillowPages(image, file, data, most)


@contextlib.contextmanager
def open_image(file: Path, formats: list[str] | None = None, data: BinaryIO | None = None) -> Iterator[ImageFile.ImageFile]:
    """Open an image file with Pillow, of any of its formats or of these alone. With `data`, its content, `file` is but its name.

    Raises:
        LargeImageError: over 67 megapixels.
        ImageError: missing or no image; and in place of whatever Pillow raises in the block, damaged.
    """
    with decoding(file):
        try:
            opened = Image.open(file if data is None else data, formats=formats)
        except UnidentifiedImageError as error:
            raise UnknownImageError(_not_an_image(file, formats, data)) from error
        with opened as image:
            check_decoded_size(image.height, image.width, file)
            yield image


def pixels_of(image: Image.Image, name: object, native: bool = False) -> NDArray[Any]:
    """Pixels of a Pillow image, upright: deep grey as it is, colours as RGB uint8; `native`: the bands of its mode.

    Raises:
        ImageError: what Pillow has not read whole from its file, such as colours of 16 bits; CMYK without a profile.
    """
    if has_deep_colours(image):
        raise ImageError(f"{name} has colours of 16 bits, which Pillow cuts to 8; read it with ainet.read_image and stretch=")
    if image.format == "TIFF" and _pillow_would_drop(image, native):
        raise ImageError(f"{name} is of a TIFF file that Pillow reads in part or as a negative; read it with ainet.read_image")
    turned = turned_upright(image)
    if turned.mode in DEEP_GREY or (native and turned.mode not in ("1", "P", "PA")):
        return np.array(turned)
    if turned.mode in ("CMYK", "LAB"):
        turned = _through_profile(turned, name)
    return np.array(turned.convert("RGB"))


def turned_upright(image: Image.Image) -> Image.Image:
    """A Pillow image turned as its EXIF entry says, in colours that are not multiplied by alpha."""
    turned = ImageOps.exif_transpose(image)
    return turned.convert(turned.mode.upper()) if turned.mode in ("La", "RGBa") else turned  # which convert to nothing else


def has_deep_colours(image: Image.Image) -> bool:
    """Whether Pillow would drop the low bits of 16-bit colour: its mode is RGB then, only the decoder's arguments tell."""
    if image.mode in DEEP_GREY:
        return False
    for codec, _, _, arguments in getattr(image, "tile", ()):
        if ";16" in str(arguments):
            return True
        if codec.startswith("ppm") and isinstance(arguments, tuple) and arguments[1] > 255:
            return True
    return False


class _PillowPages:
    def __init__(self, image: ImageFile.ImageFile, file: Path, data: BinaryIO | None, most: int) -> None:
        self._image, self._file, self._data, self._most = image, file, data, most
        self._frames = _frames(image)

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, number: int, native: bool = False) -> NDArray[Any]:
        image, frame = self._image, self._frames[number]
        with decoding(self._file):
            image.seek(frame)
            if image.format == "TIFF" and (_pillow_would_drop(image, native) or image.height * image.width > MAX_DECODED_PIXELS):
                with tiff.open_tiff(self._file, self._data, self._most) as pages:
                    return pages.read_frame(frame, native)
            check_decoded_size(image.height, image.width, self._file)
            if frame == 0 and _pillow_would_rescale(image):
                return _with_opencv(image, self._file, self._data)
            pixels = pixels_of(image, self._file, native)
            is_int16 = image.format == "TIFF" and image.mode == "I" and _bits(image) == 16
            return pixels.astype(np.int16) if is_int16 else pixels


def _frames(image: ImageFile.ImageFile) -> Sequence[int]:
    """Pillow's numbers of what are pages."""
    count = 1 if image.format in ONE_IMAGE else getattr(image, "n_frames", 1)
    if image.format != "TIFF" or count == 1:
        return range(count)  # as many as a damaged file says
    frames = []
    for frame in range(count):
        image.seek(frame)
        tags = image.tag_v2  # type: ignore[attr-defined]  # of Pillow's TIFF images
        if tiff.is_page(tags.get(tiff.KIND, 0), tags.get(tiff.OLD_KIND, 1)):
            frames.append(frame)
    return frames or [0]


def _pillow_would_rescale(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow would change the deep values of this PNG, PPM or PGM file."""
    if image.format == "PPM" and image.mode == "I":
        return True
    return image.format in ("PNG", "PPM") and has_deep_colours(image)


def _pillow_would_drop(image: Image.Image, native: bool) -> bool:
    """Whether Pillow would drop bands, bits or the sense of this page of a TIFF file."""
    tags = image.tag_v2  # type: ignore[attr-defined]  # of Pillow's TIFF images
    samples, bits, photometric = tags.get(tiff.SAMPLES, 1), _bits(image), tags.get(tiff.PHOTOMETRIC)
    if bits > 8 and (samples > 1 or photometric == tiff.WHITE_IS_ZERO):
        return True
    if samples > len(image.getbands()) and (native or photometric != tiff.RGB):
        return True
    unsigned = tags.get(tiff.SAMPLE_FORMAT, (1,))[0] == 1
    return image.mode == "I" and bits == 32 and unsigned  # Pillow's are signed


def _bits(image: Image.Image) -> int:
    """Of a value of a TIFF file."""
    return max(image.tag_v2.get(tiff.BITS, (1,)))  # type: ignore[attr-defined]  # of Pillow's TIFF images


def _through_profile(image: Image.Image, name: object) -> Image.Image:
    """CMYK by the profile in the file, L*a*b* by definition, to sRGB."""
    if image.mode == "LAB":
        profile: Any = ImageCms.createProfile("LAB")
    elif image.info.get("icc_profile"):
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    else:
        raise ImageError(
            f"{name} is in CMYK colours without a profile that says what they look like; "
            f"convert it to RGB first, for example: magick {Path(str(name)).name} -colorspace sRGB rgb.png"
        )
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None
    return converted


def _with_opencv(image: ImageFile.ImageFile, file: Path, data: BinaryIO | None) -> NDArray[Any]:
    """(H, W) or (H, W, C) uint16 of a PNG or PPM file, grey, RGB or RGBA; values as they stand in the file."""
    orientation = image.getexif().get(tiff.ORIENTATION, 1)
    if data is not None:
        data.seek(0)
    content = file.read_bytes() if data is None else data.read()
    with Image.open(io.BytesIO(content)) as untouched:
        untouched.verify()  # OpenCV takes the memory that a damaged length asks for
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError(f"{file} is damaged or cut off; fetch it again")
    if pixels.ndim == 3:
        order = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, order)
    return upright(pixels, orientation)


def _not_an_image(file: Path, formats: list[str] | None, data: BinaryIO | None) -> str:
    mistake = wrong_content(read_head(file, data))
    if mistake is not None:
        return f"{file} is not an image: {mistake}"
    if formats is not None:
        return f"{file} is not a {' or '.join(formats)} file that can be read; write it again"
    if file.suffix.lower() in VIDEO_SUFFIXES:
        return f"{file} is a video, not an image: ainet segment takes videos, OpenCV's VideoCapture gives their frames"
    return f"{file} is not an image that can be read; convert it to PNG or JPEG"
