"""The region graph, merging and their weights against plain Python."""

import numpy as np
import pytest
from numpy.typing import NDArray
from support import merging_reference as reference
from support.label_maps import blobs

from ainet.errors import ModelError
from ainet.runtime import _native
from ainet.runtime.merging import BorderMap, MergeModel, MergeTree, RegionGraph, merge, region_graph
from ainet.runtime.postprocess import enforce_connectivity

CHANNELS = 3


@pytest.fixture(scope="module", params=[0, 1, 2])
def picture(request: pytest.FixtureRequest) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32]]:
    """Labels (H, W), image and map (H, W, 3): a noisy photo of blobs, a smooth one, and one with pixels outside."""
    rng = np.random.default_rng(request.param)
    shape = (25, 33)
    labels = enforce_connectivity(blobs(rng, shape, 40, 5, 0.05), 4, 10**6)
    if request.param == 2:
        labels[10:13] = -1
        _, flat = np.unique(labels, return_inverse=True)
        labels = flat.reshape(shape).astype(np.int32) - 1
    image = (rng.integers(0, 256, (*shape, 3)) // (1, 2, 5)[request.param] + labels[..., None] * 3).clip(0, 255).astype(np.uint8)
    return labels, image, rng.standard_normal((*shape, CHANNELS), dtype=np.float32)


def random_model(channels: int, seed: int = 0) -> MergeModel:
    rng = np.random.default_rng(seed)
    shapes = [(2 * channels + 14, 8), (8,), (8, 3), (3,), (17, 6), (6,), (6, 1), (1,)]
    return MergeModel(*(rng.standard_normal(shape, dtype=np.float32) / 4 for shape in shapes))


def as_float32(regions: NDArray, edges: list[tuple[int, int]], borders: NDArray) -> RegionGraph:
    return RegionGraph(regions.astype(np.float32), np.array(edges, np.int32).reshape(-1, 2), borders.astype(np.float32))


def test_graph(picture: tuple) -> None:
    labels, image, values = picture
    regions, edges, borders = reference.graph(labels, image, values)
    graph = region_graph(labels, image, BorderMap.of_image(values, *labels.shape))
    np.testing.assert_array_equal(graph.edges, edges)
    np.testing.assert_array_equal(graph.regions[:, 0], regions[:, 0])
    np.testing.assert_allclose(graph.regions[:, 1:5], regions[:, 1:5], rtol=1e-4, atol=0.5)
    assert np.abs(graph.regions[:, 5:] - regions[:, 5:]).sum() <= 4  # a pixel may lie at the edge of two bins
    np.testing.assert_allclose(graph.borders, borders, rtol=1e-4, atol=1e-3)
    bare = region_graph(labels, image)
    np.testing.assert_array_equal(bare.edges, graph.edges)
    np.testing.assert_array_equal(bare.borders, graph.borders[:, :4])


def test_regions_that_are_not_connected() -> None:
    """The graph says nothing of use then, but it is right and ends."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 30, (40, 40)).astype(np.int32)
    graph = region_graph(labels, rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    sides = reference.sides(labels)
    pairs = {tuple(sorted((labels[a], labels[b]))) for a, b in sides}
    assert len(graph.edges) == len(pairs) > 3 * 30
    assert {tuple(edge) for edge in graph.edges.tolist()} == pairs
    assert graph.borders[:, 0].sum() == len(sides)


def test_map_of_another_size_is_sampled_at_the_nearest(picture: tuple) -> None:
    labels, image, values = picture
    small = values[:13, :17]
    rows, columns = ((2 * np.arange(size) + 1) * cells // (2 * size) for size, cells in zip(labels.shape, small.shape[:2], strict=True))
    whole = np.ascontiguousarray(small[rows][:, columns])
    one, other = (region_graph(labels, image, BorderMap.of_image(v, *labels.shape)) for v in (small, whole))
    np.testing.assert_array_equal(one.borders, other.borders)


def test_lab_of_every_grey_and_primary() -> None:
    colours = np.array([[v, v, v] for v in range(256)] + [[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[None]
    labels = np.arange(colours.shape[1], dtype=np.int32)[None]
    lab = region_graph(labels, colours).regions[:, 1:4]
    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    lightness = np.where(light > 0.008856, 116 * np.cbrt(light) - 16, 903.3 * light)
    np.testing.assert_allclose(lab[:256, 0], lightness, atol=0.01)
    assert np.abs(lab[:256, 1:]).max() < 0.02
    np.testing.assert_allclose(lab[256:], [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86]], atol=0.05)  # CIE, D65


def test_pair_features(picture: tuple) -> None:
    labels, image, _ = picture
    regions, edges, borders = reference.graph(labels, image)
    expected = [reference.pair_features(regions[a], regions[b], row) for (a, b), row in zip(edges, borders, strict=True)]
    np.testing.assert_allclose(as_float32(regions, edges, borders).pair_features(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("channels", [None, 0, CHANNELS])
def test_merging(picture: tuple, channels: int | None) -> None:
    labels, image, values = picture
    regions, edges, borders = reference.graph(labels, image, values if channels else None)
    tree = merge(as_float32(regions, edges, borders), None if channels is None else random_model(channels))
    if channels is None:
        children, costs = reference.merge(regions, edges, borders, reference.plain_cost)
    else:
        cost = reference.LearnedCost(random_model(channels))
        children, costs = reference.merge(regions, edges, cost.with_codes(regions, edges, borders), cost)
    np.testing.assert_array_equal(tree.children, children)
    np.testing.assert_allclose(tree.costs, costs, rtol=1e-3)


def test_ties_go_to_the_first_edge() -> None:
    labels = (np.indices((8, 12))[0] // 2 * 6 + np.indices((8, 12))[1] // 2).astype(np.int32)
    image = np.full((8, 12, 3), 90, np.uint8)
    regions, edges, borders = reference.graph(labels, image)
    tree = merge(as_float32(np.round(regions), edges, np.round(borders)))  # whole numbers, so that equal costs are equal
    children, _ = reference.merge(np.round(regions), edges, np.round(borders), reference.plain_cost)
    np.testing.assert_array_equal(tree.children, children)
    assert tree.children[0].tolist() == [0, 1]


def test_merging_ends_at_a_count(picture: tuple) -> None:
    labels, image, _ = picture
    graph = region_graph(labels, image)
    whole = merge(graph)
    for left in (3, 8, len(graph.regions)):
        part = merge(graph, left=left)
        assert len(part.children) == len(graph.regions) - left
        np.testing.assert_array_equal(part.children, whole.children[: len(part.children)])
        np.testing.assert_array_equal(part.costs, whole.costs[: len(part.children)])
        np.testing.assert_array_equal(part.regions(left), whole.regions(left))
        assert part.regions(left).max() == left - 1


def test_edges_vanish_when_their_ends_join(picture: tuple) -> None:
    labels, image, _ = picture
    graph = region_graph(labels, image)
    tree = merge(graph)
    inside = np.full(len(graph.edges), -1)
    for merges in range(1, len(tree.children) + 1):
        region = tree.regions(tree.count - merges)
        joined = region[graph.edges[:, 0]] == region[graph.edges[:, 1]]
        inside[joined & (inside < 0)] = merges - 1
    np.testing.assert_array_equal(tree.vanished, inside)


def test_regions_without_edges_stay_apart() -> None:
    tree = merge(RegionGraph(np.ones((4, 21), np.float32), np.array([[1, 3]], np.int32), np.ones((1, 4), np.float32)))
    assert tree.children.tolist() == [[1, 3]]
    assert tree.regions(3).tolist() == [0, 1, 2, 1]
    single = merge(RegionGraph(np.ones((1, 21), np.float32), np.zeros((0, 2), np.int32), np.zeros((0, 4), np.float32)))
    assert isinstance(single, MergeTree)
    assert single.regions(1).tolist() == [0]


@pytest.mark.parametrize("left", [-10, 1, 6])
def test_more_merges_than_there_are(left: int) -> None:
    tree = merge(as_float32(np.ones((5, 21)), [(0, 1), (2, 3)], np.ones((2, 4))))
    assert tree.regions(3).tolist() == [0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="merges"):
        tree.regions(left)


def test_images_and_maps_of_another_size(picture: tuple) -> None:
    labels, image, values = picture
    with pytest.raises(ValueError, match="size"):
        region_graph(labels, image[:-1])
    with pytest.raises(ValueError, match="rows and columns"):
        region_graph(labels, image, BorderMap.of_image(values, labels.shape[0], labels.shape[1] - 1))


def test_gradient_of_the_map(picture: tuple) -> None:
    labels, image, values = picture
    rng = np.random.default_rng(5)
    values = (rng.permutation(values.size).reshape(values.shape) / 100).astype(np.float32)  # no difference changes its sign by a step
    places = BorderMap.of_image(values, *labels.shape)
    graph = region_graph(labels, image, places)
    gradient = rng.standard_normal((len(graph.edges), 2 * CHANNELS)).astype(np.float32)
    back = _native.map_gradient(labels, int(labels.max()) + 1, places.values, places.rows, places.columns, gradient)
    step = rng.uniform(-2e-3, 2e-3, values.shape).astype(np.float32)
    moved = [region_graph(labels, image, BorderMap.of_image(values + sign * step, *labels.shape)).borders[:, 4:] for sign in (1, -1)]
    change = ((moved[0].astype(np.float64) - moved[1]) * gradient).sum() / 2
    assert change == pytest.approx((back.astype(np.float64) * step).sum(), rel=0.01, abs=0.01)


def test_weights_travel_as_text() -> None:
    model = random_model(5)
    again = MergeModel.from_json(model.to_json(), "here")
    assert again.channels == 5
    for one, other in zip(model.arrays(), again.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 2, "weights": {}}',
        '{"format": 1, "weights": {}}',
        random_model(2).to_json().replace("[18, 8]", "[8, 18]"),
        random_model(2).to_json().replace("[6, 1]", "[3, 2]"),
        random_model(2).to_json().replace("[8, 3]", "[24]"),  # one axis
        random_model(2).to_json().replace("[17, 6]", "[102]"),
        random_model(2).to_json().replace("[18, 8]", f"[{2**70}]"),
    ],
)
def test_damaged_weights(text: str) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx"):
        MergeModel.from_json(text, "model.onnx")
