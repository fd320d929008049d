"""Images in: files and arrays to RGB uint8, with a clear word on what cannot be used."""

import contextlib
import io
import os
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ainet.errors import ImageError, UsageError

MAX_IMAGE_PIXELS = 2**26  # 67 megapixels: an 8192 x 8192 image, twice the pixels of 8K UHD
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"})
_FOREIGN_COLOURS = frozenset({"CMYK", "HSV", "LAB", "YCbCr"})


def image_files(folder: Path) -> list[Path]:
    """The image files below `folder`, sorted; hidden files and folders are not looked at.

    Raises:
        UsageError: there is no such folder.
        ImageError: it holds no images.
    """
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}; name a folder of images")
    files = [folder / file for file in files_below(folder, IMAGE_SUFFIXES)]
    if not files:
        raise no_images(folder)
    return files


def files_below(folder: Path, suffixes: Set[str]) -> list[Path]:
    """The files of these kinds below a folder, relative to it and sorted; hidden files and folders are not looked at."""
    found = []
    for file in folder.rglob("*"):
        name = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if file.suffix.lower() in suffixes and not hidden and file.is_file():
            found.append(name)
    return sorted(found)


def no_images(folder: Path) -> ImageError:
    """What to say of a folder without images."""
    return ImageError(f"the folder {folder} holds no images; known are {', '.join(sorted(IMAGE_SUFFIXES))}")


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an image file -> RGB uint8 (H, W, 3), turned upright by its EXIF tag; grey is repeated, alpha dropped.

    Raises:
        ImageError: missing, truncated or no image; more than 8 bits per channel; CMYK and the like; over 67 megapixels.
    """
    return _read(Path(path))


def decode_image(data: bytes, name: str = "the image") -> NDArray[np.uint8]:
    """The same from the bytes of an image file; errors call it `name`."""
    return _read(Path(name), io.BytesIO(data))


def _read(file: Path, data: BinaryIO | None = None) -> NDArray[np.uint8]:
    with open_image(file, data=data) as image:
        if image.mode in _FOREIGN_COLOURS:
            raise ImageError(
                f"{file} is in {image.mode} colours; convert it to RGB first, for example: magick {file.name} -colorspace sRGB rgb.png"
            )
        if image.mode not in _EIGHT_BIT_MODES or has_deep_colours(image):
            raise ImageError(f"{file} has more than 8 bits per channel; convert it first, for example: magick {file.name} -depth 8 out.png")
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


@contextlib.contextmanager
def open_image(file: Path, formats: list[str] | None = None, data: BinaryIO | None = None) -> Iterator[ImageFile.ImageFile]:
    """Open an image file with Pillow, of any of its formats or of these alone. With `data`, its content, `file` is but its name.

    Raises:
        ImageError: missing or no image, over 67 megapixels; and in place of whatever Pillow raises in the block, damaged.
    """
    try:
        with Image.open(file if data is None else data, formats=formats) as image:
            if image.width * image.height > MAX_IMAGE_PIXELS:
                size = f"{image.height}x{image.width}"
                raise ImageError(f"{file} has {size} pixels, more than {MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; scale it down or cut it")
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        kind = "an image" if formats is None else f"a {' or '.join(formats)} file"
        raise ImageError(f"{file} is not {kind} that can be read; convert it to PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{file} has far more than {MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; scale it down or cut it") from error
    except OSError as error:
        if error.errno is not None:
            raise ImageError(f"cannot read {file}: {error.strerror}; check the path") from error
        raise ImageError(f"{file} is damaged or cut off ({error}); fetch it again") from error
    except Exception as error:  # what Pillow's decoders meet in broken streams has no common base
        raise ImageError(f"{file} is damaged ({error}); fetch it again") from error


def has_deep_colours(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow would drop the low bits of 16-bit colour: its mode is RGB then, only the decoder's arguments tell."""
    for codec, _, _, arguments in image.tile:
        if ";16" in str(arguments):
            return True
        if codec.startswith("ppm") and isinstance(arguments, tuple) and arguments[1] > 255:
            return True
    return False


def as_rgb(image: Any) -> NDArray[np.uint8]:
    """Array of an image -> RGB uint8 (H, W, 3), C-contiguous.

    Takes (H, W) or (H, W, 1) grey, (H, W, 3) RGB, (H, W, 4) RGBA whose alpha is dropped; uint8, or floats in [0, 1].

    Raises:
        ImageError: another shape or type, floats outside [0, 1] or NaN, or over 67 megapixels.
    """
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(f"an image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {np.shape(image)}")
    check_size(*array.shape[:2])
    array = array[:, :, :3]
    if array.dtype.kind == "f":
        if array.size and not (array.min() >= 0 and array.max() <= 1):  # false for NaN too
            raise ImageError("a floating-point image must lie in [0, 1] and have no NaN; divide by its maximum, or pass uint8")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(f"an image must be uint8, or floating-point in [0, 1], not {array.dtype}; convert it first")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def as_mask(image: Any, mask: Any) -> Any:
    """The mask of an image, True inside: `mask` itself; "alpha": where the alpha channel is not 0; else of a `numpy.ma` array; or None.

    Raises:
        ImageError: "alpha" for an image without that channel.
    """
    if isinstance(mask, str):
        if mask != "alpha" or np.ndim(image) != 3 or np.shape(image)[2] != 4:
            raise ImageError(f"mask='{mask}' for an image of shape {np.shape(image)}; the one word there is, 'alpha', needs (H, W, 4)")
        return np.asarray(image)[..., 3] > 0
    if mask is None and isinstance(image, np.ma.MaskedArray) and image.mask is not np.ma.nomask:
        hidden = np.ma.getmaskarray(image)
        return ~(hidden if hidden.ndim == 2 else hidden.any(axis=2))
    return mask


def check_size(height: int, width: int) -> None:
    """Raise `ImageError` for an image over 67 megapixels."""
    if height * width > MAX_IMAGE_PIXELS:
        raise ImageError(f"an image of {height}x{width} has more than {MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; scale it down or cut it")
