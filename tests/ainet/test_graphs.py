"""The region graph: by hand, in networkx, and in PyTorch."""

import networkx
import numpy as np
import pytest
from support.paths import PHOTOS

import ainet
import ainet.graphs
from ainet.errors import UsageError
from ainet.graphs import AdjacencyGraph


def in_networkx(graph: AdjacencyGraph) -> networkx.Graph:
    """By the lines that the module's docstring shows."""
    lines = [line.strip() for line in (ainet.graphs.__doc__ or "").splitlines() if "network" in line and line.startswith("    ")]
    names = {"graph": graph, "networkx": networkx}
    exec("\n".join(lines), names)
    return names["network"]


def test_by_hand() -> None:
    labels = np.array([[7, 7, 2], [7, 7, 2], [-1, -1, -1]], np.int16)
    image = np.zeros((3, 3, 3), np.uint8)
    image[:2, :2] = 255, 51, 0
    graph = ainet.graph(labels, image)
    assert graph.labels.tolist() == [-1, 2, 7]
    assert graph.edge_index.tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    third = 1 / 3
    expected = [
        [0, 0, 0, 2.5 * third, 0.5, third],
        [0, 0, 0, third, 2.5 * third, 2 / 9],
        [1, 0.2, 0, third, third, 4 / 9],
    ]
    np.testing.assert_allclose(graph.x, expected, atol=1e-7)
    assert (graph.edge_index.dtype, graph.x.dtype) == (np.int64, np.float32)


def test_one_region() -> None:
    graph = ainet.graph(np.zeros((4, 6), int), np.zeros((4, 6, 3), np.uint8))
    assert graph.edge_index.shape == (2, 0)
    np.testing.assert_allclose(graph.x, [[0, 0, 0, 0.5, 0.5, 1]])
    assert list(in_networkx(graph)) == [0]


def test_in_networkx_and_pytorch() -> None:
    image = ainet.read_image(PHOTOS / "chelsea.jpg")[:120, :160]
    labels = ainet.segment(image, 60)
    graph = ainet.graph(labels, image)
    assert graph.x.min() >= 0
    assert graph.x.max() <= 1
    network = in_networkx(graph)
    assert networkx.is_connected(network)
    assert sorted(tuple(sorted(edge)) for edge in network.edges) == [tuple(edge) for edge in ainet.adjacency(labels).tolist()]

    torch = pytest.importorskip("torch")
    x, (source, target) = torch.from_numpy(graph.x), torch.from_numpy(graph.edge_index)
    sums = torch.zeros_like(x).index_add_(0, target, x[source])  # one step of message passing
    node = int(graph.labels[3])
    np.testing.assert_allclose(sums[3], sum(graph.x[neighbour] for neighbour in network[node]), rtol=1e-5)

    geometric = pytest.importorskip("torch_geometric.data", reason="PyTorch Geometric is not installed: pip install torch-geometric")
    data = geometric.Data(x=x, edge_index=torch.from_numpy(graph.edge_index))
    assert data.validate()
    assert data.is_undirected()
    assert data.num_nodes == labels.max() + 1


def test_labels_that_cannot_be() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(UsageError, match=r"labels has the shape \(4, 5\), but the image \(4, 6\)"):
        ainet.graph(np.zeros((4, 5), int), image)
    with pytest.raises(UsageError, match="float64"):
        ainet.graph(np.zeros((4, 6)), image)
