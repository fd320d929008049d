"""SEAL: a network that predicts the affinity of neighbouring pixels, and ERS on it (Tu et al., "Learning Superpixels with
Segmentation-Aware Affinity Loss", CVPR 2018). For benchmarks only; weights: `seal.safetensors` or `seal.pth` in the folder of weights.

The affinity does not depend on the number of superpixels and costs nearly all the time. So the method keeps that of the last
image: many counts of one image in a row cost one run of the network. With `stages`, when the method is timed, it runs anew.
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ainet.benchmarks.peers.base import Method, Options
from ainet.benchmarks.peers.ers import BALANCE, entropy_rate_superpixels
from ainet.benchmarks.peers.peer import Image, Labels, Peer, join_fragments
from ainet.benchmarks.peers.weights import open_network
from ainet.benchmarks.speed.clock import Stages

EDGES = (50, 100)  # thresholds of Canny


class AffinityNetwork(nn.Module):
    """Affinity of each pixel to its right neighbour. Attribute names are those of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 128, (1, 7), padding=(0, 3), padding_mode="replicate")
        self.in1 = _norm(128)
        self.res2, self.res3, self.res4 = _Residual(), _Residual(), _Residual()
        self.conv5 = nn.Conv2d(128, 1, 1)
        self.in5 = _norm(1)
        self.conv6 = nn.Conv2d(2, 8, 1)
        self.in6 = _norm(8)
        self.conv7 = nn.Conv2d(8, 1, 1)
        self.in7 = _norm(1)

    def forward(self, image: Tensor, no_edge: Tensor) -> Tensor:
        """BGR (B, 3, H, W) in [0, 1] and 1 - edge map (B, 1, H, W) -> affinity (B, 1, H, W) in [0, 1]."""
        x = self.in1(self.conv1(image)).relu()
        x = self.res4(self.res3(self.res2(x)))
        x = self.in5(self.conv5(x)).sigmoid()
        x = self.in6(self.conv6(torch.cat((x, no_edge), 1))).relu()
        return self.in7(self.conv7(x)).sigmoid()


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(128, 128, 3, padding=1, padding_mode="replicate")
        self.in1 = _norm(128)
        self.conv2 = nn.Conv2d(128, 128, 3, padding=1, padding_mode="replicate")
        self.in2 = _norm(128)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.in2(self.conv2(self.in1(self.conv1(x)).relu()))).relu()


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, track_running_stats=True)


def predict_affinity(network: AffinityNetwork, image: Image, device: str) -> NDArray[np.float32]:
    """RGB (H, W, 3) -> (2, H, W): affinity to the right and to the lower neighbour."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    edges = cv2.Canny(bgr, *EDGES)
    with torch.inference_mode():
        colour = torch.from_numpy(bgr).to(device).permute(2, 0, 1)[None] / 255
        no_edge = 1 - torch.from_numpy(edges).to(device)[None, None] / 255
        right = network(colour, no_edge)
        below = network(colour.mT.contiguous(), no_edge.mT.contiguous()).mT
        return torch.cat((right, below), 1)[0].cpu().numpy()


def affinity_weights(affinity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Affinity (2, H, W) -> edge weights (4, H, W) of ERS, as of `ers.image_weights`.

    A diagonal has the smaller of the mean horizontal and the mean vertical affinity along its square, over sqrt(2).
    """
    right, below = affinity.astype(np.float64)
    weights = np.zeros((4, *right.shape))
    weights[2], weights[3] = below, right
    horizontal = (right[:-1, :-1] + right[1:, :-1]) / 2  # of each square of 2 x 2 pixels: along its two rows
    vertical = (below[:-1, :-1] + below[:-1, 1:]) / 2
    weights[0, 1:, :-1] = weights[1, :-1, :-1] = np.minimum(horizontal, vertical) / np.sqrt(2)
    return weights


class KeptAffinity:
    """The affinity of images; that of the last one is kept."""

    def __init__(self, network: AffinityNetwork, device: str) -> None:
        self._network, self._device = network, device
        self._digest = b""
        self._affinity = np.zeros((2, 0, 0), np.float32)

    def of(self, image: Image) -> NDArray[np.float32]:
        """As of `predict_affinity`."""
        digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()
        if digest != self._digest:
            self._affinity = predict_affinity(self._network, image, self._device)
            self._digest = digest
        return self._affinity

    def forget(self) -> None:
        self._digest = b""


@dataclass(kw_only=True)
class SealPeer(Peer):
    affinity: KeptAffinity

    def __call__(self, image: Image, n_segments: int, stages: Stages | None = None) -> Labels:
        if stages is not None:
            self.affinity.forget()
        return super().__call__(image, n_segments, stages)


def open_method(name: str, options: Options) -> Method:
    network, sha256 = open_network(AffinityNetwork, "seal", options)
    affinity = KeptAffinity(network, options.device)

    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        torch.set_num_threads(options.threads)
        with stages("network"):
            found = affinity.of(image)
        with stages("assignment"):
            labels, _ = entropy_rate_superpixels(affinity_weights(found), n_segments)
        with stages("connectivity"):
            return join_fragments(labels)

    parameters = {
        "balance": BALANCE,
        "weights_sha256": sha256,
        "torch": torch.__version__,
        "ainet": version("ainet-toolkit"),
        "opencv": cv2.__version__,
        "device": options.device,
    }
    return SealPeer(name, parameters, segment, sha256 is not None, options.threads, affinity=affinity)
