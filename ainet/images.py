"""Images in: files and arrays to RGB uint8, with a clear word on what cannot be used."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ainet.arguments import checked_integer
from ainet.arrays import check_unmasked, checked_mask, hides_values
from ainet.decoding import MAX_DECODED_PIXELS, MAX_IMAGE_PIXELS, check_decoded_size, check_size, decoding
from ainet.errors import AINetError, ImageError, UsageError, short
from ainet.files import path_text
from ainet.image_files import open_pages, pixels_of, turned_upright
from ainet.stretch import BESIDE_A_MASK, OF_ARRAYS, Bands, Stretch, checked_bands, checked_stretch, to_rgb
from ainet.tiff import is_tiff


def read_image(source: Any, *, page: int | None = None, stretch: Stretch = None, bands: Bands = None) -> NDArray[np.uint8]:
    """Read an image -> RGB uint8 (H, W, 3), turned upright by its EXIF tag; grey is repeated, alpha dropped.

    Args:
        source: path of a file; its content, as bytes or a file object, which is read from its start; or an array, or a Pillow image,
            of several pages the one that it stands at, as for `ainet.segment`.
        page: of a file that holds several, from 0. Thumbnails and the further pictures of phones' photos are no pages.
        stretch: how values of other types than 8 bits become 0..255: "minmax", "percentile" (the 2nd and the 98th), both of this image's
            values; a range such as (0, 4095); "none": the whole range of the type, of floats [0, 1].
        bands: which to take as grey, or as R, G and B, counted from 1: (4, 3, 2).

    Raises:
        ImageError: missing, truncated or no image; several pages and no `page`; values that need a `stretch`; CMYK without a profile; over
            67 megapixels, or of a TIFF file in tiles or strips, which is decoded into a file in `TMPDIR`, over 1,074.
        UsageError: no such page, stretch or bands.
        DeviceError: a TIFF file that needs tifffile, which is not installed.
    """
    stretch, bands = checked_stretch(stretch), checked_bands(bands)
    if isinstance(source, str | os.PathLike):
        return _read(Path(path_text(source)), None, page, stretch, bands)
    if isinstance(source, bytes | bytearray | memoryview):
        return _read(Path("the image"), io.BytesIO(bytes(source)), page, stretch, bands)
    if isinstance(source, io.TextIOBase):
        raise UsageError('the image is a file opened as text; open it with mode "rb"')
    if hasattr(source, "read"):
        with decoding("the image"):
            if hasattr(source, "seekable") and source.seekable():
                source.seek(0)
            content = source.read()
        if not isinstance(content, bytes):
            raise UsageError(f"the image is a file object whose content is of type {type(content).__name__}; open one of bytes")
        return _read(Path("the image"), io.BytesIO(content), page, stretch, bands)
    if page is not None and checked_integer("page", page) != 0:
        raise UsageError(f"page={short(page)}: an array is one page, a Pillow image the one that it stands at (image.seek); leave it out")
    check_unmasked("the image", source)
    return to_rgb(_pixels(source, bands is not None), "the image", stretch, bands)


def read_content(data: bytes, name: str, *, stretch: Stretch = None, bands: Bands = None) -> NDArray[np.uint8]:
    """`read_image` of the content of a file that a stranger may have sent: of at most 67 megapixels. Errors call it `name`."""
    return _read(Path(name), io.BytesIO(data), None, stretch, bands, MAX_DECODED_PIXELS)


def read_pages(
    path: str | os.PathLike[str], *, stretch: Stretch = None, bands: Bands = None
) -> Iterator[tuple[str, NDArray[np.uint8] | AINetError]]:
    """All pages of an image file, as of `read_image`, each with the ending of its name: "-0", "-1" and so on; "" of a single one.

    In place of a page that cannot be read stands the error. The frames of an animation build on one another: that one is the last.
    """
    file = Path(path)
    stretch, bands = checked_stretch(stretch), checked_bands(bands)
    with open_pages(file) as pages:
        for number in range(len(pages)):
            ending = f"-{number}" if len(pages) > 1 else ""
            try:
                page: NDArray[np.uint8] | AINetError = to_rgb(pages.read(number, bands is not None), str(file), stretch, bands)
            except AINetError as error:
                page = error
            yield ending, page
            if isinstance(page, AINetError) and not is_tiff(file, None):
                return


def as_rgb(image: Any) -> NDArray[np.uint8]:
    """Array of an image -> RGB uint8 (H, W, 3), C-contiguous.

    Takes (H, W) or (H, W, 1) grey, (H, W, 3) RGB, (H, W, 4) RGBA whose alpha is dropped; uint8, or floats in [0, 1]. Pillow images
    are converted as from a file.

    Raises:
        ImageError: another shape or type, floats outside [0, 1] or NaN, or over 1,074 megapixels.
        UsageError: a `numpy.ma` array that hides some of its values.
    """
    check_unmasked("the image", image)
    return to_rgb(_pixels(image), "an image", advice=OF_ARRAYS)


def as_rgb_inside(image: Any, mask: Any) -> NDArray[np.uint8]:
    """`as_rgb` of an image with a mask (H, W), True inside, or None: outside it floats may be any number, and NaN.

    Raises:
        ImageError: as `as_rgb`.
        UsageError: a mask of another type or size, or without a pixel inside.
    """
    pixels = _pixels(image)
    if mask is not None and pixels.ndim in (2, 3) and pixels.dtype.kind == "f":
        outside = ~checked_mask(mask, pixels.shape[:2])
        pixels = np.ma.MaskedArray(pixels, outside if pixels.ndim == 2 else np.broadcast_to(outside[:, :, None], pixels.shape))
    return to_rgb(pixels, "an image", advice=BESIDE_A_MASK)


def as_rgb_batch(images: NDArray[Any]) -> NDArray[np.uint8]:
    """A batch of images of one size, as `as_rgb` gives each: (N, H, W, 3).

    Raises:
        ImageError: as `as_rgb`.
        UsageError: it is empty, or has masks.
    """
    if len(images) == 0:
        raise UsageError("an empty batch: pass at least one image")
    if hides_values(images):
        raise UsageError("a batch with masks: segment its images one by one, each with its mask")
    return np.stack([as_rgb(one) for one in images])


def as_array(image: Any) -> NDArray[Any]:
    """What a library calls an array, as a numpy array on the host; lists of whole numbers in 0..255 have no type and count as uint8.

    Raises:
        ImageError: there is no such array in it.
    """
    if isinstance(image, np.ndarray):
        return image if isinstance(image, np.ma.MaskedArray) else np.asarray(image)  # of np.matrix, which is always flat, the array
    if isinstance(image, str | bytes | os.PathLike) or hasattr(image, "read"):
        raise ImageError(f"{str(image)[:80]!r} is no array of pixels; read the file first, with ainet.read_image")
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(image, torch.Tensor):
            image = image.detach()
            image = image.float() if image.dtype == torch.bfloat16 else image
        if not hasattr(image, "__array__") and hasattr(image, "__dlpack__"):
            image = np.from_dlpack(image)
        array = np.asarray(image)
    except Exception as error:  # of whichever library the array is
        raise ImageError(f"an image must be an array of pixels, not this {type(image).__name__} ({error}); convert it first") from error
    if array.dtype.name == "bfloat16":  # of JAX and TensorFlow, by the package ml_dtypes
        return array.astype(np.float32)
    if array.ndim == 0 or array.dtype.kind in "US":
        raise ImageError(f"an image must be an array of pixels, not {short(image)}; read files first, with ainet.read_image")
    if isinstance(image, list | tuple) and array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array


def as_mask(image: Any, mask: Any) -> Any:
    """The mask of an image, True inside: `mask` itself; "alpha": where the alpha channel is not 0; else of a `numpy.ma` array; or None.

    Raises:
        ImageError: "alpha" for an image without that channel.
        UsageError: a mask beside that of a `numpy.ma` array.
    """
    if hides_values(image):
        if mask is not None:
            raise UsageError("the image is a numpy.ma array with a mask of its own: put mask= into it, or pass image.data")
        hidden = np.ma.getmaskarray(image)
        return ~(hidden.any(axis=2) if hidden.ndim == 3 else hidden)  # with other axes it is no image, which is told with its pixels
    return _alpha(image, mask) > 0 if isinstance(mask, str) else mask


def _alpha(image: Any, mask: str) -> NDArray[Any]:
    if mask != "alpha":
        raise UsageError(f"mask must be an array of booleans, or 'alpha' for the alpha channel of an RGBA image, not '{mask}'")
    if isinstance(image, Image.Image) and image.has_transparency_data:
        with decoding("the image"):
            return np.array(turned_upright(image).convert("RGBA"))[..., 3]
    pixels = np.asarray(image.getbands()) if isinstance(image, Image.Image) else as_array(image)
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        raise ImageError(f"mask='alpha' for an image of shape {pixels.shape}; it needs an alpha channel, (H, W, 4)")
    return pixels[..., 3]


def _pixels(image: Any, native: bool = False) -> NDArray[Any]:
    """Pixels of an array or a Pillow image, of which all bands are wanted where `native`.

    Raises:
        ImageError: it is neither, or over 1,074 megapixels.
    """
    if isinstance(image, Image.Image):
        check_decoded_size(image.height, image.width, "the image")
        with decoding("the image"):
            return pixels_of(image, "the image", native)
    pixels = as_array(image)
    if pixels.ndim in (2, 3):
        check_size(*pixels.shape[:2])
    return pixels


def _read(
    file: Path, data: io.BytesIO | None, page: int | None, stretch: Stretch, bands: Bands, most: int = MAX_IMAGE_PIXELS
) -> NDArray[np.uint8]:
    with open_pages(file, data, most) as pages:
        if page is None and len(pages) > 1:
            raise ImageError(f"{file} holds {len(pages)} pages: choose one with page=, save it as a file of its own, or use ainet segment")
        number = 0 if page is None else checked_integer("page", page)
        if not 0 <= number < len(pages):
            raise UsageError(f"page={short(page)} is not there: {file} has {len(pages)}, counted from 0")
        pixels = pages.read(number, bands is not None)
    return to_rgb(pixels, str(file), stretch, bands)
