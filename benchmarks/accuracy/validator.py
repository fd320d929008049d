"""What a network in training is worth on unseen images: the callback that the trainer takes.

validate = validator(bsds500(root, "val"))
validate(network)      # {"loss": ..., "semantic": ..., "position": ..., "asa": ..., "br": ..., "bp": ..., "co": ...}
"""

from collections.abc import Callable, Sequence

from ainet import __version__
from ainet.export.agreement import mean_metrics
from ainet.runtime.backends.pytorch import TorchBackend
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN
from ainet.training.datasets import Sample
from ainet.training.networks import UNet
from ainet.training.validation import validation_loss


def validator(samples: Sequence[Sample], n_segments: int = 600) -> Callable[[UNet], dict[str, float]]:
    """The training loss, and ASA, BR, BP and CO at `n_segments` superpixels; means over all (image, ground truth) pairs."""

    def validate(network: UNet) -> dict[str, float]:
        info = ModelInfo("in training", "logits", "fp32", MEAN, "", {}, __version__)
        backend = TorchBackend(network, info, str(next(network.parameters()).device))
        (figures,) = mean_metrics([backend], samples, n_segments)
        return {**validation_loss(network, samples), **figures}

    return validate
