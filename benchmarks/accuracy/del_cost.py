"""The cost by which DEL merges superpixels (Liu et al., Deep Embedding Learning for Efficient Image Segmentation, IJCAI 2018).

    cost = train(bsds500("BSDS500/data", "train"))
    tree = cost.tree(labels, image)

A superpixel's embedding z is the mean of those of its pixels, a linear map of a network's features. Two neighbours are alike by
s = 2 / (1 + exp |z_i - z_j|_1), and the embedding is trained by the log loss of s over neighbouring pairs, which are of one segment of the
ground truth or not, both classes weighted by the share of the other. The most similar pair merges first; its pixels' mean is its new
embedding. Written from the paper. Its network is another one: here the features are AINet's at the image's own size, and the mean colour.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from ainet.merge_tree import Hierarchy
from ainet.models import bundled_checkpoint
from ainet.runtime.merging import BorderMap, MergeTree, region_graph
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import plan_scale, plan_segments
from ainet.runtime.postprocess import network_planes
from ainet.runtime.resampling import plan_tables
from ainet.segmenter import Segmenter
from ainet.spec import MEAN
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import Sample
from ainet.training.merging.fit import one_thread
from ainet.training.merging.pairs import overlap
from ainet.training.networks import UNet

SUPERPIXELS = 600  # of a training image
CHANNELS = 64  # of the embedding
STEPS, RATE = 3000, 3e-3
SMALLEST = 1e-6  # of 1 - s, below which its logarithm is cut off

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class DelCost:
    """network: whose features are embedded by `weights` (features, channels)."""

    network: UNet
    weights: Floats

    def tree(self, labels: NDArray[np.int32], image: NDArray[np.uint8]) -> Hierarchy:
        """The hierarchy of connected regions 0..K-1 of an image RGB (H, W, 3)."""
        graph = region_graph(labels, image)
        areas = graph.regions[:, 0].astype(np.float64)
        embeddings = pooled_features(self.network, labels, image) @ self.weights
        return Hierarchy(labels, graph, merge_embeddings(embeddings.astype(np.float64), areas, graph.edges))


@one_thread()
def train(samples: Sequence[Sample], seed: int = 0, report: Callable[[str], None] = lambda line: None, steps: int = STEPS) -> DelCost:
    """Train the embedding on the superpixels of the bundled AINet, an image a step."""
    torch.manual_seed(seed)
    network = load_checkpoint(bundled_checkpoint("ainet")).network.eval()
    data = []
    with Segmenter.load("ainet", "cpu", 1) as segmenter:
        for number, sample in enumerate(samples, 1):
            report(f"DEL's cost: features of image {number} of {len(samples)}")
            data.append(_training_pairs(network, segmenter, sample))
    features = torch.cat([values for values, _, _ in data])
    scale = features.std(0, keepdim=True).T + 1e-3  # (features, 1)
    weights = (torch.randn(len(scale), CHANNELS) / CHANNELS).requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        values, edges, same = data[step % len(data)]
        optimizer.zero_grad()
        loss_of(values @ (weights / scale), edges, same).backward()
        optimizer.step()
        schedule.step()
    return DelCost(network, (weights / scale).detach().numpy())


def _training_pairs(network: UNet, segmenter: Segmenter, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
    """Features of the superpixels, pairs that touch, and whether these are of one segment of each ground truth: see `loss_of`."""
    image = sample.image()
    height, width = image.shape[:2]
    labels = run_pipeline(segmenter.backend, image[None], plan_segments(height, width, SUPERPIXELS))[0]
    edges = region_graph(labels, image).edges
    same = np.stack([_in_one_segment(labels, truth, edges) for truth in sample.segmentations()])
    return torch.from_numpy(pooled_features(network, labels, image)), torch.from_numpy(edges).long(), torch.from_numpy(same)


def loss_of(embeddings: Tensor, edges: Tensor, same: Tensor) -> Tensor:
    """The class-balanced log loss; same: (ground truths, E) bool, whether a pair is of one segment."""
    distance = (embeddings[edges[:, 0]] - embeddings[edges[:, 1]]).abs().sum(1)
    log_alike = np.log(2) - F.softplus(distance)
    log_unlike = torch.tanh(distance / 2).clamp(min=SMALLEST).log()  # 1 - s = tanh(distance / 2)
    positive = same.float().mean()
    return -torch.where(same, (1 - positive) * log_alike, positive * log_unlike).mean()


@torch.inference_mode()
def pooled_features(network: UNet, labels: NDArray[np.int32], image: NDArray[np.uint8]) -> Floats:
    """(K, features) means over the pixels of each region 0..K-1: of AINet's maps, and of R, G, B in [0, 1]."""
    height, width = image.shape[:2]
    planes = torch.from_numpy(network_planes(image[None], plan_tables(plan_scale(height, width, 1)), MEAN))
    _, maps = network.with_border_sources(planes)
    pooled = [_pooled(labels, one[0].permute(1, 2, 0).numpy()) for one in maps]
    return np.concatenate([*pooled, _pooled(labels, np.divide(image, 255, dtype=np.float32))], 1)


def merge_embeddings(embeddings: NDArray[np.float64], areas: NDArray[np.float64], edges: NDArray[np.int32]) -> MergeTree:
    """Merge the nearest neighbours in the L1 norm first; of equal distances the pair that was found first."""
    count = len(embeddings)
    z = np.concatenate([embeddings, np.zeros((count - 1, embeddings.shape[1]))])
    size = np.concatenate([areas, np.zeros(count - 1)])
    around: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges.tolist():
        around[a].add(b)
        around[b].add(a)
    distances = np.abs(z[edges[:, 0]] - z[edges[:, 1]]).sum(1).tolist()
    queue = [(distance, number, a, b) for number, (distance, (a, b)) in enumerate(zip(distances, edges.tolist(), strict=True))]
    heapq.heapify(queue)
    found = len(queue)
    children: list[tuple[int, int]] = []
    costs: list[float] = []
    gone: set[int] = set()
    while queue:
        cost, _, a, b = heapq.heappop(queue)
        if a in gone or b in gone:
            continue
        joined = count + len(children)
        children.append((a, b))
        costs.append(cost)
        size[joined] = size[a] + size[b]
        z[joined] = (z[a] * size[a] + z[b] * size[b]) / size[joined]
        neighbours = sorted((around[a] | around[b]) - {a, b})
        around.append(set(neighbours))
        gone |= {a, b}
        for other in neighbours:
            around[other] -= {a, b}
            around[other].add(joined)
            heapq.heappush(queue, (float(np.abs(z[other] - z[joined]).sum()), found, other, joined))
            found += 1
    return MergeTree(count, np.array(children, np.int32), np.array(costs, np.float32), np.zeros(len(edges), np.int32))


def _pooled(labels: NDArray[np.int32], values: Floats) -> Floats:
    """(K, C) means of a map (h, w, C), which covers the image, over the regions of labels (H, W)."""
    places = BorderMap.of_image(values, *labels.shape)
    cell = (places.rows[:, None] * values.shape[1] + places.columns).ravel()
    shape = (int(labels.max()) + 1, values.shape[0] * values.shape[1])
    share = csr_array((np.ones(labels.size, np.float32), (labels.ravel(), cell)), shape=shape)
    return share @ values.reshape(shape[1], -1) / share.sum(1)[:, None]


def _in_one_segment(labels: NDArray[np.int32], truth: NDArray[np.uint16], edges: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(E,) whether most pixels of both regions lie in one segment."""
    segment = overlap(labels, truth).argmax(1)
    return segment[edges[:, 0]] == segment[edges[:, 1]]
