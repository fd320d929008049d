"""GeoJSON and labelme, read back by what their formats say."""

import itertools
import json

import numpy as np
import pytest
from support.label_maps import blobs

import ainet
from ainet.georeference import Georeference
from ainet.polygon_files import geojson, labelme

LABELS = np.array([
    [5, 5, 5, 9],
    [5, 2, 5, 9],
    [5, 5, 5, 5],
    [9, 5, 5, 5],
])  # fmt: skip


def test_geojson_in_pixels() -> None:
    content = json.loads(json.dumps(geojson(ainet.polygons(LABELS))))
    assert set(content) == {"type", "features"}
    assert content["type"] == "FeatureCollection"
    by_label = {feature["properties"]["label"]: feature for feature in content["features"]}
    assert list(by_label) == [2, 5, 9]
    assert all(feature["type"] == "Feature" for feature in by_label.values())
    assert by_label[2]["geometry"] == {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]}
    assert by_label[9]["geometry"] == {
        "type": "MultiPolygon",
        "coordinates": [[[[3, 0], [4, 0], [4, 2], [3, 2], [3, 0]]], [[[0, 3], [1, 3], [1, 4], [0, 4], [0, 3]]]],
    }
    outer, hole = by_label[5]["geometry"]["coordinates"]
    assert hole == [[1, 2], [2, 2], [2, 1], [1, 1], [1, 2]]
    assert signed_area(outer) > 0 > signed_area(hole)


def test_geojson_on_a_map() -> None:
    """Metres, 2 a pixel, the upper left corner at (500, 800); y points up, so that rings turn round."""
    place = Georeference((2.0, 0.0, 500.0, 0.0, -2.0, 800.0), "urn:ogc:def:crs:EPSG::32633")
    content = geojson(ainet.polygons(LABELS), place)
    assert content["crs"] == {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    two, five, _ = (feature["geometry"]["coordinates"] for feature in content["features"])
    assert two == [[[502, 798], [502, 796], [504, 796], [504, 798], [502, 798]]]
    assert [signed_area(ring) > 0 for ring in five] == [True, False]
    assert signed_area(five[0]) + signed_area(five[1]) == 4 * (LABELS == 5).sum()


def test_neighbours_share_points_on_a_turned_map() -> None:
    place = Georeference((0.31, 0.07, 1 / 3, 0.07, 0.31, 1 / 7), None)
    labels = ainet.enforce_connectivity(blobs(np.random.default_rng(1), (40, 50), 90, 7, 0.1), 5, 200)
    content = geojson(ainet.polygons(labels), place)
    assert "crs" not in content
    segments = set()
    for feature in content["features"]:
        for ring in feature["geometry"]["coordinates"]:
            points = [tuple(point) for point in ring]
            segments |= set(itertools.pairwise(points))
    alone = [segment for segment in segments if segment[::-1] not in segments]
    edge = [np.subtract(b, a) for a, b in alone]  # of the image: along its rows or its columns
    assert all(min(abs(step @ (-0.07, 0.31)), abs(step @ (0.31, -0.07))) < 1e-9 for step in edge)


def test_labelme_painted_in_its_order() -> None:
    """Filled one after the other, holes not left out, the shapes give the label map again."""
    draw = pytest.importorskip("skimage.draw")
    content = json.loads(json.dumps(labelme(ainet.polygons(LABELS), "photo.jpg", LABELS.shape)))
    assert (content["imagePath"], content["imageHeight"], content["imageWidth"], content["imageData"]) == ("photo.jpg", 4, 4, None)
    painted = np.full(LABELS.shape, -1)
    for shape in content["shapes"]:
        assert (shape["shape_type"], shape["flags"], shape["group_id"]) == ("polygon", {}, int(shape["label"]))
        assert shape["points"][0] != shape["points"][-1]
        x, y = np.transpose(shape["points"])
        painted[draw.polygon(y - 0.5, x - 0.5, LABELS.shape)] = shape["group_id"]
    np.testing.assert_array_equal(painted, LABELS)


def signed_area(ring: list[list[float]]) -> float:
    x, y = np.transpose(ring)
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2
