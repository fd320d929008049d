"""Superpixels as a graph:

    graph = ainet.graph(labels, image)
    network = networkx.Graph()
    network.add_nodes_from(range(len(graph.x)))  # one region alone has no edges
    network.add_edges_from(graph.edge_index.T.tolist())
    torch_geometric.data.Data(x=torch.from_numpy(graph.x), edge_index=torch.from_numpy(graph.edge_index))

networkx and PyTorch Geometric take its arrays as they are.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.regions import Labels, adjacency, region_table


class AdjacencyGraph(NamedTuple):
    """Nodes are the labels in ascending order, numbered 0..K-1.

    edge_index: (2, E) int64, each pair of neighbouring regions in both directions, sorted by source and then target.
    x: (K, 6) float32 in [0, 1], the nodes' features: mean R, G, B; row and column of the centroid over height and width; share of the
        image's area.
    labels: (K,), the label of each node.
    """

    edge_index: NDArray[np.int64]
    x: NDArray[np.float32]
    labels: NDArray[np.integer[Any]]


def graph(labels: Labels, image: Any) -> AdjacencyGraph:
    """The region adjacency graph of a label map, with colour, place and area of each region.

    Args:
        labels: (H, W), any integer type; labels need not be consecutive.
        image: as for `ainet.segment`, of the labels' size.

    Raises:
        UsageError: the labels are not such an array, or differ from the image in size; a `numpy.ma` array that hides values.
        ImageError: an image of another shape, type or range.
    """
    if image is None:
        raise UsageError("a graph needs the image, whose colours are its nodes' features; ainet.adjacency needs none")
    table = region_table(labels, image)
    height, width = np.shape(labels)
    # A pixel's centre lies half a pixel inside it, so that an image of one region has its centroid at 0.5.
    centroid = (table["centroid"] + 0.5) / (height, width)
    area = table["area"][:, None] / (height * width)
    features = np.concatenate([table["mean_colour"] / 255, centroid, area], 1)
    one_way = np.searchsorted(table["label"], adjacency(labels))  # (E / 2, 2), node numbers
    edges = np.concatenate([one_way, one_way[:, ::-1]]).astype(np.int64)
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    return AdjacencyGraph(np.ascontiguousarray(edges.T), features.astype(np.float32), table["label"])
