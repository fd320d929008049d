"""Training of the cost: two rounds on pairs of the plain hierarchy, then of that and the first model's.

model = fit(coarse, [*coarse, *fine], channels=16)   # lists of LabelledImage -> MergeNetwork
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from ainet.runtime.merging import BorderMap, MergeTree, merge, region_graph
from ainet.training.merging.model import MergeNetwork
from ainet.training.merging.pairs import LabelledImage, Pairs, collect_pairs
from ainet.training.networks import UNet

LEVELS = (800, 400, 200, 100, 50, 25)  # regions left, where pairs are taken beside those of the start
STEPS = (1200, 4000)  # of the two rounds, an image each
RATE, DECAY, WARMUP = 2e-3, 1e-2, 50
REPORT = 200  # steps between two lines


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread, where tensors are so small that threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def fit(
    first: Sequence[LabelledImage],
    images: Sequence[LabelledImage],
    channels: int,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    steps: tuple[int, int] = STEPS,
) -> MergeNetwork:
    """Train a cost for merging; `first` are those of `images` that the first round learns from.

    channels: of the border map; 0 for a cost that needs no network, then the images need no `maps`. steps: of the two rounds.
    """
    torch.manual_seed(seed)
    plain = [[merge(image.graph())] for image in first]
    sources = [len(source) for source in images[0].maps] or UNet.border_channels
    teacher = MergeNetwork(channels, sources=sources)
    train(teacher, [collect_pairs(image, trees, LEVELS) for image, trees in zip(first, plain, strict=True)], steps[0], report)
    data = [collect_pairs(image, [merge(image.graph()), tree_of(teacher, image)], LEVELS) for image in images]
    model = MergeNetwork(channels, sources=sources)
    train(model, data, steps[1], report)
    return model


def tree_of(network: MergeNetwork, image: LabelledImage) -> MergeTree:
    """The hierarchy of an image by the network as it is."""
    border_map = None
    if network.head is not None:
        with torch.no_grad():
            values = network.head(*(source.float()[None] for source in image.maps))[0]
        border_map = BorderMap.of_image(values.numpy(), *image.labels.shape)
    return merge(region_graph(image.labels, image.image, border_map), network.weights())


def train(network: MergeNetwork, data: list[Pairs], steps: int, report: Callable[[str], None] = lambda line: None) -> None:
    """Minimise the cross entropy of p and what a merge loses; every level of every image weighs the same. A step takes one image."""
    network.fit_scales(data)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    order: list[int] = []
    recent: list[float] = []
    network.train()
    for step in range(steps):
        order = order or torch.randperm(len(data)).tolist()
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        loss = loss_of(network, data[order.pop()])
        loss.backward()
        optimizer.step()
        recent.append(loss.item())
        if (step + 1) % REPORT == 0:
            report(f"step {step + 1} of {steps}: loss {sum(recent[-REPORT:]) / REPORT:.4f}")
    network.eval()


def loss_of(network: MergeNetwork, pairs: Pairs) -> torch.Tensor:
    cross_entropy = F.binary_cross_entropy_with_logits(network(pairs), pairs.lost, reduction="none")
    return (cross_entropy * pairs.weight).sum() / len(pairs.pair)
