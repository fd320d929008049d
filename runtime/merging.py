"""Regions merged step by step, the cheapest pair of neighbours first: graph of a label map, cost, tree.

    graph = region_graph(labels, image)                # labels (H, W) int32, 0..K-1, each 4-connected; image (H, W, 3) uint8
    tree = merge(graph, model)                         # model: a MergeModel, or None for the plain cost
    labels = tree.regions(100)[labels]                 # exactly 100 regions

The plain cost of two regions a and b is harmonic size x (squared distance of their mean colours in Lab + 20) / length of their
border. The learned one is p x min(size) / sqrt(length), with p the share of the smaller region's pixels that the achievable
segmentation accuracy would lose by the merge, as a small network predicts it: see `ainet.training.merging`.
"""

import base64
import json
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ainet.errors import ModelError
from ainet.files import parse_json
from ainet.runtime import _native

PAIR_FEATURES = 14  # that need only the image; see native/merging.cpp
BORDER_SUMS = 4  # of a border before those of a border map: length, contrast, contrast further out, gradient
FORMAT = 1
BORDER_MAP = "border_map"  # the output of a model file, after the network's own
MERGING_ENTRY = "ainet-merging"  # the metadata entry that holds the cost's weights


@dataclass(frozen=True)
class MergeModel:
    """Weights of the learned cost, float32; matrices are (inputs, outputs).

    A border's code is relu(border2 . relu(border1 . [its pooled map values, its pair's features])); the logit of p is
    pair2 . relu(pair1 . [pair's features, mean code by length]). `border1` has 2C + 14 inputs for a border map of C channels;
    with C = 0 the model needs no network and judges the regions of any label map.
    """

    border1: NDArray[np.float32]
    border1_bias: NDArray[np.float32]
    border2: NDArray[np.float32]
    border2_bias: NDArray[np.float32]
    pair1: NDArray[np.float32]
    pair1_bias: NDArray[np.float32]
    pair2: NDArray[np.float32]
    pair2_bias: NDArray[np.float32]

    @property
    def channels(self) -> int:
        """Channels of the border map that the model needs."""
        return (len(self.border1) - PAIR_FEATURES) // 2

    def arrays(self) -> list[NDArray[np.float32]]:
        return [getattr(self, field.name) for field in fields(self)]

    def to_json(self) -> str:
        """One line that `from_json` reads: what a model file carries, and the package ships."""
        weights = {
            field.name: {"shape": array.shape, "float32": base64.b64encode(array.astype("<f4").tobytes()).decode()}
            for field, array in zip(fields(self), self.arrays(), strict=True)
        }
        return json.dumps({"format": FORMAT, "weights": weights})

    @classmethod
    def from_json(cls, text: str, source: object) -> "MergeModel":
        """Read what `to_json` wrote.

        Raises:
            ModelError: `text`, from the file `source`, is no such line.
        """
        try:
            content = parse_json(text)
            version = content["format"]
            if version == FORMAT:
                model = cls(*(_decoded(content["weights"][field.name]) for field in fields(cls)))
                model._check_shapes()
                return model
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{source} holds damaged weights for merging ({error}); train or export them again") from error
        raise ModelError(f"{source} holds weights for merging of format {version}, this version reads format {FORMAT}; update the toolkit")

    def _check_shapes(self) -> None:
        """Raise ValueError where the weights do not fit together: native code relies on their shapes."""
        shapes = [array.shape for array in self.arrays()]
        if [len(shape) for shape in shapes] != 4 * [2, 1]:
            raise ValueError(f"shapes {shapes}")
        inputs, middle = self.border1.shape
        codes, hidden = self.border2.shape[1], self.pair1.shape[1]
        expected = [(inputs, middle), (middle,), (middle, codes), (codes,), (PAIR_FEATURES + codes, hidden), (hidden,), (hidden, 1), (1,)]
        if shapes != expected or inputs < PAIR_FEATURES or inputs % 2:
            raise ValueError(f"shapes {shapes}")
        if not all(np.isfinite(array).all() for array in self.arrays()):
            raise ValueError("values that are not finite")


@dataclass(frozen=True)
class BorderMap:
    """A feature map over image positions: `values` (h, w, C) float32; `rows` (H,) and `columns` (W,) of the map for those of the image."""

    values: NDArray[np.float32]
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]

    @classmethod
    def of_image(cls, values: NDArray[np.float32], height: int, width: int) -> "BorderMap":
        """A map that covers an image of `height` x `width` pixels."""
        return cls(np.ascontiguousarray(values, np.float32), _nearest(values.shape[0], height), _nearest(values.shape[1], width))


@dataclass(frozen=True)
class RegionGraph:
    """Regions of a label map and their borders; rows of sums add up when regions merge (native/region_graph.h says of what).

    regions: (K, 21) float32. edges: (E, 2) int32, each the two regions that share a side of a pixel, the smaller first.
    borders: (E, 4 + 2C) float32.
    """

    regions: NDArray[np.float32]
    edges: NDArray[np.int32]
    borders: NDArray[np.float32]

    def without(self, edges: NDArray[np.bool_]) -> "RegionGraph":
        """The graph without some of its edges, so that regions never merge across them."""
        return RegionGraph(self.regions, self.edges[~edges], self.borders[~edges])

    def pair_features(self) -> NDArray[np.float32]:
        """(E, 14) what the learned cost is told of each pair, without the border map."""
        return _native.pair_features(self.regions, self.edges, self.borders)


@dataclass(frozen=True)
class MergeTree:
    """The merges in their order.

    count: regions at the start. children: (M, 2) int32, the two that merge i joins into the region count + i.
    costs: (M,) float32. vanished: (E,) int32, the merge by which each edge of the graph comes to lie inside a region, -1: none.
    """

    count: int
    children: NDArray[np.int32]
    costs: NDArray[np.float32]
    vanished: NDArray[np.int32]

    def regions(self, left: int) -> NDArray[np.int32]:
        """(count,) the region of each of the first ones when `left` are left, numbered in the order of their first members.

        Raises:
            ValueError: so many are never left.
        """
        return _native.regions_after(self.children, self.count, self.count - left)


def region_graph(labels: NDArray[np.int32], image: NDArray[np.uint8], border_map: BorderMap | None = None) -> RegionGraph:
    """The graph of a label map (H, W), 0..K-1, each region 4-connected, or -1 outside; image RGB (H, W, 3)."""
    if border_map is None:
        none = np.zeros(0, np.int32)
        border_map = BorderMap(np.zeros((1, 1, 0), np.float32), none, none)
    regions = int(labels.max()) + 1
    described = _native.describe_regions(
        np.ascontiguousarray(labels), image, regions, border_map.values, border_map.rows, border_map.columns
    )
    return RegionGraph(*described)


def merge(graph: RegionGraph, model: MergeModel | None = None, left: int = 1) -> MergeTree:
    """Merge until `left` regions are left, or one of each connected part, by the model's cost or the plain one.

    Of equal costs the first edge is taken.
    """
    rows = (graph.regions, graph.edges, graph.borders)
    if model is None:
        return MergeTree(len(graph.regions), *_native.merge_plainly(*rows, left))
    assert graph.borders.shape[1] == BORDER_SUMS + 2 * model.channels, "the graph was made with another border map than the model's"
    return MergeTree(len(graph.regions), *_native.merge_by_weights(*rows, left, *model.arrays()))


def _nearest(source: int, target: int) -> NDArray[np.int32]:
    """(target,) the source index under the centre of each target."""
    return ((2 * np.arange(target) + 1) * source // (2 * target)).astype(np.int32)


def _decoded(entry: dict[str, object]) -> NDArray[np.float32]:
    flat = np.frombuffer(base64.b64decode(str(entry["float32"])), "<f4").astype(np.float32)
    shape: object = entry["shape"]
    if not isinstance(shape, list):
        raise TypeError("a shape must be a list")
    return flat.reshape(shape)
