"""SSN with the weights of the common PyTorch ports (`ssn.safetensors` or `ssn.pth` in the folder of weights)."""

import torch

from ainet.benchmarks.peers.base import Method, Options
from ainet.benchmarks.peers.peer import Image, Labels, Peer, connect
from ainet.benchmarks.peers.weights import open_network
from ainet.benchmarks.speed.clock import Stages, gpu_barrier
from ainet.training.lab import rgb_to_lab
from ainet.training.networks.ssn import ITERATIONS, SSN, cell_ids, differentiable_slic, grid_size, ssn_input


def open_method(name: str, options: Options) -> Method:
    network, sha256 = open_network(SSN, "ssn", options)
    wait = gpu_barrier(options.device)

    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        torch.set_num_threads(options.threads)
        height, width = image.shape[:2]
        rows, columns = grid_size(height, width, n_segments)
        with torch.inference_mode():
            with stages("network"):
                lab = rgb_to_lab(torch.from_numpy(image).to(options.device).permute(2, 0, 1)[None] / 255)
                features = network.features(ssn_input(lab, n_segments))
                wait()
            with stages("assignment"):
                ids = cell_ids(differentiable_slic(features, rows, columns), rows, columns)[0].cpu().numpy()
        with stages("connectivity"):
            return connect(ids, n_segments)

    parameters = {
        "iterations": ITERATIONS,
        "weights_sha256": sha256,
        "torch": torch.__version__,
        "device": options.device,
    }
    return Peer(name, parameters, segment, sha256 is not None, options.threads)
