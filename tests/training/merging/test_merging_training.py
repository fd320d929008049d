"""Pairs, the torch cost against the native one, and that training learns."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.label_maps import blobs

from ainet.runtime.merging import BORDER_SUMS, BorderMap, merge, region_graph
from ainet.runtime.postprocess import enforce_connectivity
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.merging.fit import fit, loss_of, tree_of
from ainet.training.merging.model import MergeNetwork
from ainet.training.merging.pairs import LabelledImage, collect_pairs, overlap
from ainet.training.networks import build

pytestmark = pytest.mark.slow

LEVELS = (20, 10, 5)


def make_image(seed: int, channels: bool = True) -> LabelledImage:
    """Three grey stripes under noise, cut into blobs; the two on the right belong to one segment."""
    rng = np.random.default_rng(seed)
    shape = (48, 64)
    truth = np.repeat([[0, 1, 2]], shape[0], 0).repeat([20, 24, 20], 1)
    image = (np.array([60, 120, 200])[truth][..., None] + rng.integers(-25, 25, (*shape, 3))).astype(np.uint8)
    labels = enforce_connectivity(blobs(rng, shape, 90, 6, 0) * 3 + truth, 4, 10**6)
    maps = tuple(torch.randn(size, generator=torch.Generator().manual_seed(seed)) for size in ((16, 24, 32), (32, 24, 32), (64, 12, 16)))
    return LabelledImage.of(labels, image, [truth.astype(np.uint16), np.minimum(truth, 1).astype(np.uint16)], maps if channels else ())


def lost_pixels(image: LabelledImage, region: NDArray, a: int, b: int) -> float:
    """Mean over annotators of what ASA loses by merging two regions, over the pixels of the smaller one."""
    total = 0.0
    for table in image.overlaps:
        of_a, of_b = table[region == a].sum(0), table[region == b].sum(0)
        total += (of_a.max() + of_b.max() - (of_a + of_b).max()) / min(of_a.sum(), of_b.sum())
    return total / len(image.overlaps)


def test_overlap_counts_the_pixels_of_each_pair() -> None:
    labels = np.array([[0, 0, 1], [2, 2, 1]], np.int32)
    truth = np.array([[7, 3, 3], [7, 7, 9]], np.uint16)
    np.testing.assert_array_equal(overlap(labels, truth), [[1, 1, 0], [1, 0, 1], [0, 2, 0]])


def test_pairs_of_all_levels() -> None:
    image = make_image(0)
    tree = merge(image.graph())
    pairs = collect_pairs(image, [tree], LEVELS)
    first = 0
    for level, of_edge in zip((tree.count, *LEVELS), pairs.pair.numpy(), strict=True):
        region = tree.regions(level)
        graph = region_graph(region[image.labels], image.image)
        count = len(graph.edges)
        for (a, b), features in zip(graph.edges, graph.pair_features(), strict=True):
            ends = region[image.graph().edges]
            edges = np.flatnonzero((ends.min(1) == a) & (ends.max(1) == b))
            (pair,) = set(of_edge[edges].tolist())
            assert first <= pair < first + count
            np.testing.assert_allclose(pairs.features[pair], features, rtol=1e-3, atol=1e-3)
            assert pairs.lost[pair] == pytest.approx(lost_pixels(image, region, a, b), abs=1e-6)
            assert pairs.weight[pair] == pytest.approx(1 / count)
        assert (of_edge[region[image.graph().edges[:, 0]] == region[image.graph().edges[:, 1]]] == len(pairs.features)).all()
        first += count


@pytest.mark.parametrize("channels", [0, 8])
def test_native_cost_is_the_modules(channels: int) -> None:
    image = make_image(1)
    torch.manual_seed(0)
    network = MergeNetwork(channels)
    pairs = collect_pairs(image, [], ())
    network.fit_scales([pairs])
    network.eval()
    with torch.no_grad():
        probability = network(pairs).sigmoid().numpy()[pairs.pair[0]]
    graph = image.graph()
    sizes = graph.regions[:, 0][graph.edges].min(1)
    tree = tree_of(network, image)
    expected = probability * sizes / np.sqrt(graph.borders[:, 0])
    assert tree.costs[0] == pytest.approx(expected.min(), rel=1e-4)
    assert sorted(tree.children[0]) == graph.edges[expected.argmin()].tolist()


def test_the_head_gives_the_means_that_native_code_pools() -> None:
    image = make_image(2)
    torch.manual_seed(0)
    network = MergeNetwork(4)
    network.fit_scales([collect_pairs(image, [], ())])
    values = network.head(*(source[None] for source in image.maps))[0].detach()  # type: ignore[misc]
    assert abs(values.mean()) < 0.3
    assert 0.2 < values.std() < 3
    graph = region_graph(image.labels, image.image, BorderMap.of_image(values.numpy(), *image.labels.shape))
    assert graph.borders.shape[1] == BORDER_SUMS + 8


def test_training_learns_and_is_seeded() -> None:
    images = [make_image(seed, channels=False) for seed in range(6)]
    trained = fit(images, images, channels=0, seed=3, steps=(20, 100))
    again = fit(images, images, channels=0, seed=3, steps=(20, 100))
    for one, other in zip(trained.weights().arrays(), again.weights().arrays(), strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = make_image(99, channels=False)
    pairs = collect_pairs(fresh, [merge(fresh.graph())], LEVELS)
    untrained = MergeNetwork(0)
    untrained.fit_scales([pairs])
    with torch.no_grad():
        assert loss_of(trained, pairs) < 0.8 * loss_of(untrained.eval(), pairs)


def test_gradient_reaches_the_head() -> None:
    image = make_image(4)
    network = MergeNetwork(4, dropout=0)
    pairs = collect_pairs(image, [], ())
    network.fit_scales([pairs])
    loss_of(network, pairs).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
    assert network.head is not None
    assert network.head.encoder2.weight.grad.abs().max() > 0  # type: ignore[union-attr]


def test_checkpoints_carry_the_cost(tmp_path) -> None:
    torch.manual_seed(0)
    network, merging = build("scn"), MergeNetwork(8, middle=12)
    save_checkpoint(tmp_path / "scn.safetensors", network, {"network": "scn"}, merging)
    loaded = load_checkpoint(tmp_path / "scn.safetensors")
    assert loaded.merging is not None
    assert loaded.merging.channels == 8
    assert loaded.has_border_map
    for key, value in merging.state_dict().items():
        torch.testing.assert_close(loaded.merging.state_dict()[key], value, rtol=0, atol=0)
    save_checkpoint(tmp_path / "bare.safetensors", network, {"network": "scn"})
    bare = load_checkpoint(tmp_path / "bare.safetensors")
    assert bare.merging is None and not bare.has_border_map
    save_checkpoint(tmp_path / "image.safetensors", network, {"network": "scn"}, MergeNetwork(0))
    of_the_image = load_checkpoint(tmp_path / "image.safetensors")
    assert of_the_image.merging is not None and not of_the_image.has_border_map
