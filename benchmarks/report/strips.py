"""Strips of pictures: an image, and over it the outlines of a ground truth and of each method's superpixels."""

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.accuracy.protocol import BSDS, PROTOCOLS
from ainet.benchmarks.accuracy.run import EXAMPLES
from ainet.benchmarks.report.results import Result, Results
from ainet.errors import UsageError
from ainet.labels import read_labels
from ainet.regions import overlay

QUALITY = 85  # of JPEG


@dataclass(frozen=True)
class Strip:
    """`pictures`: data URIs by what they show, which is "image", "ground truth" and the methods."""

    image_id: str
    pictures: dict[str, str]


def load_strips(results: Results, root: Path) -> list[Strip]:
    """A strip for the first images of which every method that kept label maps at scale 1 has one.

    Raises:
        UsageError: there is no such image, or it is not in the data set, or that is not there.
        ImageError: an image, ground truth or label map is damaged.
    """
    found = {result.data["method"]: _label_files(result) for result in results.accuracy}
    kept = {method: maps for method, maps in found.items() if maps}
    common = set.intersection(*map(set, kept.values())) if kept else set()
    if not common:
        raise UsageError("no label maps for pictures: they lie in the folder of an accuracy run; name that in place of its JSON files")
    data = results.accuracy[0].data["data"]
    samples = {sample.image_id: sample for sample in PROTOCOLS[data["name"]].open(root, data["split"])}
    missing = sorted(common - samples.keys())
    if missing:
        raise UsageError(f"image {missing[0]} of the runs is not in {root}; name the data that they were made from")
    strips = []
    for image_id in sorted(common)[:EXAMPLES]:
        image = samples[image_id].image()
        pictures = {"image": image, "ground truth": overlay(image, samples[image_id].segmentations()[0])}
        for method, maps in kept.items():
            pictures[method] = overlay(image, read_labels(maps[image_id]))
        strips.append(Strip(image_id, {name: _uri(picture) for name, picture in pictures.items()}))
    return strips


def load_proposals(results: Results, root: Path) -> list[Strip]:
    """A strip for each image whose regions `ainet bench proposals` kept in the folder beside its result.

    Raises:
        UsageError: an image is not in the data set, or that is not there.
        ImageError: an image or label map is damaged.
    """
    strips = []
    for result in results.proposals:
        folders = sorted(folder for folder in result.path.with_suffix("").glob("*") if folder.is_dir())
        samples = {sample.image_id: sample for sample in BSDS.open(root, result.data["split"])} if folders else {}
        for folder in folders:
            if folder.name not in samples:
                raise UsageError(f"image {folder.name} of {folder.parent} is not in {root}; name the data that it was made from")
            image = samples[folder.name].image()
            found = {", ".join(path.stem.rsplit("-", 1)): overlay(image, read_labels(path)) for path in sorted(folder.glob("*.png"))}
            pictures = {"image": image, **found}
            strips.append(Strip(folder.name, {name: _uri(picture) for name, picture in pictures.items()}))
    return strips


def _label_files(result: Result) -> dict[str, Path]:
    return {path.stem: path for path in (result.path.parent / result.data["method"] / "labels" / "1").glob("*.csv")}


def _uri(picture: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
