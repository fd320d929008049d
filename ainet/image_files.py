"""Image files, page by page, as pixels of whatever type and number of bands they have.

    with open_pages(Path("stack.tif")) as pages:
        for number in range(len(pages)):
            pixels = pages.read(number)  # (H, W) or (H, W, C)

Pillow reads what it reads without loss; `deep_files` the deep values of PNG, PPM, PGM and JPEG 2000 files; tifffile TIFF files of several
deep bands, and other pages that Pillow does not know.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from ainet import tiff
from ainet.decoding import MAX_DECODED_PIXELS, MAX_IMAGE_PIXELS, LargeImageError, check_decoded_size, decoding, how_to_convert
from ainet.deep_files import DEEP_GREY, WITH_OPENCV, loses_depth, read_deep
from ainet.errors import ImageError
from ainet.wrong_content import looks_like_video, read_head, wrong_content

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
        pages: Pages
        try:
            pages = _PillowPages(stack.enter_context(open_image(file, data=data)), file, data, most)
        except (UnknownImageError, LargeImageError, SyntaxError):  # the last of later pages of kinds that Pillow does not know
            if not tiff.is_tiff(file, data):
                raise
            pages = stack.enter_context(tiff.open_tiff(file, data, most))
        yield pages


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
    _check_scale(image, name)
    if loses_depth(image):
        raise ImageError(f"{name} has deep or signed values, which Pillow changes; read its file with ainet.read_image and stretch=")
    if image.format == "TIFF" and _pillow_would_drop(image, native):
        raise ImageError(f"{name} is of a TIFF file that Pillow reads in part or as other values; read it with ainet.read_image")
    turned = turned_upright(image)
    if turned.mode in DEEP_GREY or (native and turned.mode not in ("1", "P", "PA")):
        return np.array(turned)
    if native and turned.mode == "1":
        return np.array(turned.convert("L"))
    if turned.mode in ("CMYK", "LAB"):
        turned = _through_profile(turned, name)
    return np.array(turned.convert("RGB"))


def turned_upright(image: Image.Image) -> Image.Image:
    """A Pillow image turned as its EXIF entry says, in colours that are not multiplied by alpha."""
    turned = ImageOps.exif_transpose(image)
    return turned.convert(turned.mode.upper()) if turned.mode in ("La", "RGBa") else turned  # which convert to nothing else


def _check_scale(image: Image.Image, name: object) -> None:
    """Raise `ImageError` where the header of a file scales its values, which Pillow does not do."""
    if image.format == "FITS" or (image.format == "PPM" and image.info.get("scale", 1) != 1):
        raise ImageError(f"{name} is a {image.format} file whose header may scale its values, which is not done here: convert it to TIFF")


class _PillowPages:
    def __init__(self, image: ImageFile.ImageFile, file: Path, data: BinaryIO | None, most: int) -> None:
        self._image, self._file, self._data, self._most = image, file, data, most
        self._frames = _frames(image)

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, number: int, native: bool = False) -> NDArray[Any]:
        image, frame = self._image, self._frames[number]
        with decoding(self._file):
            if image.tell() != frame:
                image.seek(frame)
            if image.format == "TIFF" and (_pillow_would_drop(image, native) or image.height * image.width > MAX_DECODED_PIXELS):
                with tiff.open_tiff(self._file, self._data, self._most) as pages:
                    return pages.read_frame(frame, native)
            check_decoded_size(image.height, image.width, self._file)
            if loses_depth(image):
                return self._deep(native)
            pixels = pixels_of(image, self._file, native)
            is_int16 = image.format == "TIFF" and image.mode == "I" and _bits(image) == 16
            return pixels.astype(np.int16) if is_int16 else pixels

    def _deep(self, native: bool) -> NDArray[Any]:
        image, file = self._image, self._file
        if image.format not in WITH_OPENCV or image.tell() > 0:
            what = f"{image.format} files" if image.tell() == 0 else "animations"
            raise ImageError(f"{file} has values of more than 8 bits, which are not read from {what}; convert it to PNG or TIFF of 16 bits")
        if self._data is None:
            return read_deep(image, file.read_bytes(), file, native)
        self._data.seek(0)
        return read_deep(image, self._data.read(), file, native)


def _frames(image: ImageFile.ImageFile) -> Sequence[int]:
    """Pillow's numbers of what are pages."""
    if image.format in ONE_IMAGE:
        return [image.tell()]  # of PSD files 1
    count = getattr(image, "n_frames", 1)
    if image.format != "TIFF" or count == 1:
        return range(count)  # as many as a damaged file says
    frames = []
    for frame in range(count):
        image.seek(frame)
        tags = image.tag_v2  # type: ignore[attr-defined]  # of Pillow's TIFF images
        if tiff.is_page(tags.get(tiff.KIND, 0), tags.get(tiff.OLD_KIND, 1)):
            frames.append(frame)
    return frames or [0]


def _pillow_would_drop(image: Image.Image, native: bool) -> bool:
    """Whether Pillow would drop bands, bits, planes or the sense of this page of a TIFF file, or has no decoder for it."""
    tags = image.tag_v2  # type: ignore[attr-defined]  # of Pillow's TIFF images
    samples, bits, photometric = tags.get(tiff.SAMPLES, 1), _bits(image), tags.get(tiff.PHOTOMETRIC)
    if tags.get(tiff.DEPTH, 1) > 1 or tags.get(tiff.COMPRESSION) == tiff.COMPRESSED_WEBP:
        return True
    if tags.get(tiff.PLANES, 1) == tiff.BAND_AFTER_BAND and (samples == 2 or tiff.MULTIPLIED in tags.get(tiff.EXTRA_SAMPLES, ())):
        return True
    if bits > 8 and (samples > 1 or photometric == tiff.WHITE_IS_ZERO):
        return True
    of_metamorph = tags.get(tiff.METAMORPH, ())
    count = len(of_metamorph) if isinstance(of_metamorph, tuple) else 1
    planes = tiff.planes_described(str(tags.get(tiff.DESCRIPTION, "")), count, image.width * image.height * samples)
    if planes > 1 and planes > getattr(image, "n_frames", 1):  # asked for last, as Pillow goes through the file for it
        return True
    if samples > len(image.getbands()) and (native or photometric != tiff.RGB):
        return True
    sample_format = tags.get(tiff.SAMPLE_FORMAT, (1,))[0]
    if bits <= 8 and sample_format == tiff.SIGNED:  # Pillow's are unsigned
        return True
    return image.mode == "I" and bits == 32 and sample_format == tiff.UNSIGNED  # Pillow's are signed


def _bits(image: Image.Image) -> int:
    """Of a value of a TIFF file."""
    return max(image.tag_v2.get(tiff.BITS, (1,)))  # type: ignore[attr-defined]  # of Pillow's TIFF images


def _through_profile(image: Image.Image, name: object) -> Image.Image:
    """CMYK by the profile in the file, L*a*b* by definition, to sRGB."""
    content = image.info.get("icc_profile", b"")
    if image.mode == "CMYK" and not content:
        raise ImageError(f"{name} is in CMYK colours without a profile that says what they look like; {how_to_convert(name)}")
    try:
        profile: Any = ImageCms.createProfile("LAB") if image.mode == "LAB" else ImageCms.ImageCmsProfile(io.BytesIO(content))
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        raise ImageError(f"{name} is in {image.mode} colours, and its profile is of others or damaged; {how_to_convert(name)}") from error
    assert converted is not None
    return converted


def _not_an_image(file: Path, formats: list[str] | None, data: BinaryIO | None) -> str:
    head = read_head(file, data)
    mistake = wrong_content(head)
    if mistake is not None:
        return f"{file} is not an image: {mistake}"
    if formats is not None:
        return f"{file} is not a {' or '.join(formats)} file that can be read; write it again"
    if file.suffix.lower() in VIDEO_SUFFIXES or looks_like_video(head):
        return f"{file} is a video, not an image: ainet segment takes videos, OpenCV's VideoCapture gives their frames"
    return f"{file} is not an image that can be read; convert it to PNG or JPEG"
