"""The results of `ainet segment`: label maps, overlays and polygons, written whole or not at all."""

import os
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ainet.files import atomic_path
from ainet.georeference import read_georeference
from ainet.labels import ENDINGS, OVERLAY_ENDING, check_png_size, write_labels
from ainet.outlines import polygons
from ainet.polygon_files import geojson, labelme
from ainet.regions import overlay
from ainet.results import compact_json, picture_png

TIFF_SUFFIXES = (".tif", ".tiff")


class Format(StrEnum):
    NPY = "npy"  # int32 array
    PNG16 = "png16"  # 16-bit grey PNG
    CSV = "csv"  # comma-separated rows, as superpixel benchmarks read them
    OVERLAY = "overlay"  # the image with the superpixels' outlines, PNG
    GEOJSON = "geojson"  # polygons, in the coordinates of a GeoTIFF where rasterio is installed, else in pixels
    LABELME = "labelme"  # polygons as an annotation of labelme


_ENDINGS = {**ENDINGS, "overlay": OVERLAY_ENDING, "geojson": ".geojson", "labelme": ".json"}


def result_path(folder: Path, name: Path, kind: Format) -> Path:
    """Where the result of the input called `name` goes."""
    return folder / name.with_name(name.name + _ENDINGS[kind])


def write(path: Path, kind: Format, image: NDArray[np.uint8], labels: NDArray[np.int32], source: Path) -> None:
    """Write one result: labels (H, W), image RGB (H, W, 3), read from the file `source`.

    Raises:
        OutputError: the file cannot be written.
        ImageError: over 65,536 labels as 16-bit PNG; a height or width over 1,000,000 as PNG; the georeference of `source` cannot be read.
    """
    if kind in ENDINGS:
        write_labels(path, labels)
    elif kind is Format.OVERLAY:
        _write_overlay(path, image, labels)
    elif kind is Format.GEOJSON:
        georeference = read_georeference(source, image.shape[:2]) if source.suffix.lower() in TIFF_SUFFIXES else None
        _write_text(path, compact_json(geojson(polygons(labels), georeference)))
    else:
        annotation = labelme(polygons(labels), os.path.relpath(source, path.parent), image.shape[:2])
        _write_text(path, compact_json(annotation))


def _write_overlay(path: Path, image: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
    check_png_size(f"cannot write {path}", *labels.shape)
    content = picture_png(overlay(image, labels))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _write_text(path: Path, content: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(content)
