"""The outlines of regions as polygons, exact to the pixel.

for polygon in ainet.polygons(labels):
    outer, *holes = polygon.parts[0]
    shapely.Polygon(outer, holes)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ainet.arguments import checked_integer
from ainet.arrays import checked_labels
from ainet.regions import Labels
from ainet.runtime.label_map import Ring, outlines
from ainet.runtime.postprocess import enforce_connectivity

Rings = list[NDArray[np.int32]]


class RegionPolygon(NamedTuple):
    """The outline of all pixels of a label.

    parts: for each 4-connected piece its rings, the outer one first, then those of its holes. A ring is (N, 2) int32, x and y of
    corners of pixels: pixel (row, column) is the square from (column, row) to (column + 1, row + 1). Its last point is its first.
    """

    label: int
    parts: list[Rings]


def polygons(labels: Labels, *, background: int | None = None) -> list[RegionPolygon]:
    """The outline of every label, in ascending order; drawn and filled, they give the same label map again.

    Neighbours have the points of their common border in common: there is one where a border turns and where three regions meet, or two
    at the edge of the image. Rings never cross or meet themselves, as the OGC's simple features ask for; those of a part may touch in a
    point. Outer rings are counterclockwise and holes clockwise by the sign of their area, as GeoJSON (RFC 7946) has it: with y
    pointing down, as in an image, the eye sees the opposite.

    Args:
        labels: (H, W), any integer type; labels need not be consecutive, nor connected.
        background: a label that gets no polygon, such as the 0 outside a mask.

    Raises:
        UsageError: the labels are no such array, or empty; `background` is no integer.
    """
    labels = checked_labels(labels)
    left_out = None if background is None else checked_integer("background", background)
    pieces = enforce_connectivity(labels, 1, 2**31)
    parts: dict[int, list[Rings]] = {}
    for rings in _by_piece(outlines(pieces)):
        x, y = rings[0][0].tolist()  # the first point is the upper left corner of the piece's first pixel
        parts.setdefault(int(labels[y, x]), []).append(rings)
    return [RegionPolygon(label, parts[label]) for label in sorted(parts) if label != left_out]


def _by_piece(rings: list[Ring]) -> list[Rings]:
    pieces: list[Rings] = []
    for ring in rings:
        if ring.region == len(pieces):
            pieces.append([])
        pieces[-1].append(ring.points)
    return pieces
