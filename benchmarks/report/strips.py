"""Strips of pictures: an image, a ground truth, each method's superpixels, and a zoom into all of them."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ainet.benchmarks.accuracy.protocol import PROTOCOLS
from ainet.benchmarks.accuracy.run import EXAMPLES
from ainet.benchmarks.report.results import Result, Results
from ainet.errors import UsageError
from ainet.labels import read_labels
from ainet.regions import boundaries

QUALITY = 85  # of JPEG
ZOOM = 120  # pixels, side of the square that is enlarged
LINE = (255, 214, 10)  # colour of outlines, R, G, B


@dataclass(frozen=True)
class Strip:
    """An image, and over it the outlines of a ground truth and of each method's superpixels, by name, as data URIs.

    `zoom`: (top, left) of the enlarged square.
    """

    image_id: str
    shape: tuple[int, int]
    zoom: tuple[int, int]
    image: str
    outlines: dict[str, str]


def load_strips(results: Results, root: Path) -> list[Strip]:
    """A strip for the first images of which every method that kept label maps at scale 1 has one.

    Raises:
        UsageError: there is no such image, or it is not in the data set, or that is not there.
        ImageError: an image or ground truth is damaged.
    """
    kept = {result.data["method"]: maps for result in results.accuracy if (maps := _label_files(result))}
    common = set.intersection(*map(set, kept.values())) if kept else set()
    if not common:
        raise UsageError("no label maps for pictures: they lie in the folder of an accuracy run; name that in place of its JSON files")
    data = results.accuracy[0].data["data"]
    samples = {sample.image_id: sample for sample in PROTOCOLS[data["name"]].open(root, data["split"])}
    if missing := sorted(common - samples.keys()):
        raise UsageError(f"image {missing[0]} of the runs is not in {root}; name the data that they were made from")
    strips = []
    for image_id in sorted(common)[:EXAMPLES]:
        image, truth = samples[image_id].image(), samples[image_id].segmentations()[0]
        labels = {method: read_labels(maps[image_id]) for method, maps in kept.items()}
        outlines = {"ground truth": _outlines(truth), **{method: _outlines(segments) for method, segments in labels.items()}}
        height, width = truth.shape
        strips.append(Strip(image_id, (height, width), busiest_square(boundaries(truth)), _uri(Image.fromarray(image), "jpeg"), outlines))
    return strips


def busiest_square(edges: NDArray[np.bool_]) -> tuple[int, int]:
    """(top, left) of the square of `ZOOM` pixels with most edges: where people see something."""
    total = np.pad(edges.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    counts = total[ZOOM:, ZOOM:] - total[:-ZOOM, ZOOM:] - total[ZOOM:, :-ZOOM] + total[:-ZOOM, :-ZOOM]
    top, left = np.unravel_index(counts.argmax(), counts.shape)
    return int(top), int(left)


def _label_files(result: Result) -> dict[str, Path]:
    return {path.stem: path for path in (result.path.parent / result.data["method"] / "labels" / "1").glob("*.csv")}


def _outlines(labels: NDArray[np.integer]) -> str:
    """Lines of one pixel on a transparent ground."""
    line = np.zeros(labels.shape, np.uint8)
    line[:-1] |= labels[1:] != labels[:-1]
    line[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    picture = Image.fromarray(line, "P")
    picture.putpalette((0, 0, 0, *LINE))
    return _uri(picture, "png", bits=1, transparency=0, optimize=True)


def _uri(picture: Image.Image, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"quality": QUALITY} if kind == "jpeg" else options))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
