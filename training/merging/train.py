"""`ainet train-merging`: from a checkpoint and BSDS500's train split to the cost by which its superpixels merge.

    train_merging("BSDS500/data", "ainet.safetensors", "ainet-merging.safetensors")   # the network and its cost
    train_merging("BSDS500/data", "ainet.safetensors", "merging.json")                # a cost that needs no network

The network itself is not trained. All 200 images are cut at two counts; with their features they take about 3 GB of memory.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from ainet.errors import UsageError, short
from ainet.files import atomic_path, check_place
from ainet.runtime.oversegmentation import plan_start
from ainet.runtime.postprocess import network_planes, postprocess
from ainet.runtime.resampling import plan_tables
from ainet.spec import MEAN
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.datasets import Sample, bsds500
from ainet.training.merging.fit import STEPS, fit
from ainet.training.merging.pairs import LabelledImage
from ainet.training.networks import UNet

COUNTS = (600, 1200)  # superpixels at the start
CHANNELS = 16  # of the border map


def train_merging(
    bsds: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    out: str | os.PathLike[str],
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    counts: tuple[int, int] = COUNTS,
    steps: tuple[int, int] = STEPS,
) -> None:
    """Train a cost on the superpixels of the checkpoint `weights`.

    Args:
        out: a checkpoint (.safetensors) with the network and its cost, or a cost alone that needs no network (.json).
        seed: of the weights and the order of images; equal seeds give equal files on one machine.
        counts: superpixels at the start; the first round of training sees those of the first count alone.
        steps: of the two rounds, see `fit`.

    Raises:
        UsageError: no BSDS500 in the folder, another suffix of `out`, or a seed out of range.
        ModelError: the checkpoint cannot be used.
        OutputError: the file cannot be written.
    """
    path = Path(out)
    if path.suffix not in (".safetensors", ".json"):
        raise UsageError(
            f"cannot write '{out}': the name must end in .safetensors, for the network with its cost, or .json, for a cost alone"
        )
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {short(seed)}; it must be in 0..2^63 - 1")
    check_place(path)
    checkpoint = load_checkpoint(weights)
    samples = list(bsds500(bsds, "train"))
    with_maps = path.suffix == ".safetensors"
    report(f"{checkpoint.name}: superpixels of {len(samples)} images at {counts[0]} and {counts[1]}")
    fine = list(label_images(checkpoint.network, samples, counts[1], with_maps))
    coarse = list(label_images(checkpoint.network, samples, counts[0], with_maps))
    model = fit(coarse, [*coarse, *fine], CHANNELS if with_maps else 0, seed, report, steps)
    if with_maps:
        save_checkpoint(path, checkpoint.network, {**checkpoint.config, "merging_seed": seed}, model)
        return
    with atomic_path(path) as temporary:
        temporary.write_text(model.weights().to_json() + "\n", encoding="utf-8")


def label_images(network: UNet, samples: Sequence[Sample], count: int, with_maps: bool) -> Iterator[LabelledImage]:
    """Samples cut into about `count` superpixels, with the network's features in half precision where `with_maps`."""
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for sample in samples:
        image = sample.image()
        height, width = image.shape[:2]
        plan = plan_start(height, width, count)
        inputs = torch.from_numpy(network_planes(image[None], plan_tables(plan), MEAN))
        planes = inputs.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            logits, sources = network.with_border_sources(planes)
        maps = sources if with_maps else ()
        scores = logits.contiguous().numpy()
        labels = postprocess(scores, plan.height, plan.width, plan.min_size, plan.max_size, smoothing=plan.smoothing)[0]
        yield LabelledImage.of(labels, image, sample.segmentations(), tuple(source[0].half().clone() for source in maps))
