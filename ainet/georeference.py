"""Where on the earth the pixels of a GeoTIFF lie, read by rasterio where it is installed."""

import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ainet.decoding import LargeImageError
from ainet.errors import ImageError
from ainet.image_files import UnknownImageError, open_image
from ainet.tiff import ORIENTATION, open_tiff

WGS84 = ("urn:ogc:def:crs:EPSG::4326", "urn:ogc:def:crs:OGC::CRS84")  # with longitude first, as GeoJSON has it


class Georeference(NamedTuple):
    """transform: (a, b, c, d, e, f) for which the corner (x, y) of pixels lies at (a x + b y + c, d x + e y + f).

    crs: the name of the coordinate system, as a URN or else WKT; None for WGS 84, and where the file names none.
    """

    transform: tuple[float, float, float, float, float, float]
    crs: str | None


def has_rasterio() -> bool:
    """Whether georeferences can be read."""
    return find_spec("rasterio") is not None


def read_georeference(path: str | os.PathLike[str], size: tuple[int, int]) -> Georeference | None:
    """The georeference of an image file of `size` (height, width); None where it has none, or several pages, or rasterio is not installed.

    Raises:
        ImageError: the file cannot be read, or the image was turned by its EXIF tag.
    """
    if not has_rasterio():
        return None
    import rasterio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                transform, crs, stored = dataset.transform, dataset.crs, (dataset.height, dataset.width)
                has_pages = bool(dataset.subdatasets)
    except rasterio.errors.RasterioError as error:
        raise ImageError(f"cannot read the georeference of {path}: {error}; fetch the file again") from error
    if transform.is_identity or has_pages:
        return None
    if _is_turned(path) or stored != tuple(size):
        raise ImageError(f"{path} is turned by its orientation tag, which its georeference does not follow; save it upright")
    return Georeference(tuple(transform)[:6], _name(crs))


def _is_turned(path: str | os.PathLike[str]) -> bool:
    """Whether `read_image` turns the image of the file."""
    try:
        with open_image(Path(path)) as image:
            return image.getexif().get(ORIENTATION, 1) != 1
    except (LargeImageError, UnknownImageError):
        with open_tiff(Path(path)) as pages:
            return pages.orientation != 1


def _name(crs: object) -> str | None:
    """The name of rasterio's CRS."""
    if crs is None:
        return None
    authority = crs.to_authority()  # type: ignore[attr-defined]
    if authority is None:
        return crs.to_wkt()  # type: ignore[attr-defined]
    name = f"urn:ogc:def:crs:{authority[0]}::{authority[1]}"
    return None if name in WGS84 else name
