"""Polygons as the content of JSON files that other programs read.

text = json.dumps(geojson(ainet.polygons(labels)))                      # QGIS, GDAL, geopandas
text = json.dumps(labelme(ainet.polygons(labels), "photo.jpg", labels.shape))
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.georeference import Georeference
from ainet.outlines import RegionPolygon

LABELME_VERSION = "5.0.0"  # the first part says which versions of labelme read the file without a warning


def geojson(polygons: list[RegionPolygon], georeference: Georeference | None = None) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946) with a feature for each label, whose number is the property `label`.

    Without a georeference the coordinates are pixels, x to the right and y down. With one they are of its coordinate system, which the
    member `crs` names where it is not the WGS 84 that GeoJSON stands for; GDAL and QGIS read that member.
    """
    features = []
    for polygon in polygons:
        parts = [[_coordinates(ring, georeference) for ring in rings] for rings in polygon.parts]
        geometry = {"type": "Polygon", "coordinates": parts[0]} if len(parts) == 1 else {"type": "MultiPolygon", "coordinates": parts}
        features.append({"type": "Feature", "properties": {"label": polygon.label}, "geometry": geometry})
    collection: dict[str, Any] = {"type": "FeatureCollection"}
    if georeference is not None and georeference.crs is not None:
        collection["crs"] = {"type": "name", "properties": {"name": georeference.crs}}
    return collection | {"features": features}


def labelme(polygons: list[RegionPolygon], image_path: str, size: tuple[int, int]) -> dict[str, Any]:
    """An annotation of labelme: shapes of type polygon in pixel coordinates, one for each 4-connected piece, `group_id` its label.

    labelme has no holes: later shapes lie on top of earlier ones, so what lies in a hole stands behind what has the hole.

    Args:
        image_path: the image, from the folder of the file. size: its height and width.
    """
    pieces = [(polygon.label, rings[0]) for polygon in polygons for rings in polygon.parts]
    pieces.sort(key=lambda piece: -_area(piece[1]))
    shapes = [
        {"label": str(label), "points": ring[:-1].tolist(), "group_id": label, "shape_type": "polygon", "flags": {}}
        for label, ring in pieces
    ]
    height, width = size
    return {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def _coordinates(ring: NDArray[np.int32], georeference: Georeference | None) -> list[list[float]]:
    if georeference is None:
        return ring.tolist()
    a, b, c, d, e, f = georeference.transform
    x, y = ring.T
    placed = np.stack([a * x + b * y + c, d * x + e * y + f], 1)
    mirrored = a * e - b * d < 0  # as usual: y of the image points down, that of the map up
    return (placed[::-1] if mirrored else placed).tolist()


def _area(ring: NDArray[np.int32]) -> int:
    """Of what lies inside a ring, holes too: the shoelace formula."""
    x, y = ring.astype(np.int64).T
    return int((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) // 2
