"""What a network in training is worth on unseen images: the callback that the trainer takes.

validate = validator(BSDS500(root, "val"))
validate(network)      # {"loss": ..., "semantic": ..., "position": ..., "asa": ..., "br": ..., "bp": ..., "co": ...}
"""

from collections.abc import Callable, Sequence

import numpy as np

from ainet import __version__
from ainet.benchmarks.metrics import achievable_segmentation_accuracy, boundary_precision, boundary_recall, compactness
from ainet.runtime.backends.pytorch import TorchBackend
from ainet.runtime.model import ModelInfo
from ainet.segmenter import Segmenter
from ainet.spec import MEAN
from ainet.training.datasets import Sample
from ainet.training.networks import UNet
from ainet.training.validation import validation_loss

METRICS = {"asa": achievable_segmentation_accuracy, "br": boundary_recall, "bp": boundary_precision}


def validator(samples: Sequence[Sample], n_segments: int = 600) -> Callable[[UNet], dict[str, float]]:
    """The training loss, and ASA, BR, BP (means over all annotations) and CO (over the images) at `n_segments` superpixels."""

    def validate(network: UNet) -> dict[str, float]:
        info = ModelInfo("in training", "logits", "fp32", MEAN, "", {}, __version__)
        segmenter = Segmenter(TorchBackend(network, info, str(next(network.parameters()).device)))
        rows, compact = [], []
        for sample in samples:
            labels = segmenter(sample.image(), n_segments=n_segments)
            rows += [[metric(labels, truth) for metric in METRICS.values()] for truth in sample.segmentations()]
            compact.append(compactness(labels))
        means = dict(zip(METRICS, np.mean(rows, axis=0).tolist(), strict=True))
        return {**validation_loss(network, samples), **means, "co": float(np.mean(compact))}

    return validate
