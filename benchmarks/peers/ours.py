"""AINet and SCN: the bundled weights on any of the toolkit's backends, or a checkpoint in PyTorch, the way of `ainet.Segmenter` in
timed stages."""

from importlib.metadata import version
from pathlib import Path

from ainet.benchmarks.peers.base import Method, Options, Stages
from ainet.benchmarks.peers.peer import Image, Labels, Peer
from ainet.errors import ModelError
from ainet.runtime.backends.base import LabelBackend
from ainet.runtime.pipeline import network_output, run_pipeline
from ainet.runtime.plan import PUBLIC_PROTOCOL, Plan, plan_public, plan_segments
from ainet.runtime.postprocess import assign, enforce_connectivity, resize_nearest
from ainet.segmenter import Segmenter, bundled

FILE = "weights.safetensors"
TENTHS = range(1, 21)  # scales of the public protocol, in tenths


def open_method(name: str, options: Options) -> Method:
    network, _, device = name.partition("@")
    if network == "checkpoint":
        device = f"torch:{options.device}"
    torch_device = device.startswith("torch")
    weights = _own(options) if network == "checkpoint" else bundled(f"{network}.safetensors" if torch_device else f"{network}.onnx")
    segmenter = Segmenter.load(weights, device or "cpu", options.threads)
    backend, info = segmenter.backend, segmenter.info

    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        if torch_device:
            import torch

            torch.set_num_threads(options.threads)
        height, width = image.shape[:2]
        plan = plan_for(height, width, n_segments)
        if isinstance(backend, LabelBackend):  # all on a GPU, in one captured graph
            with stages("pipeline"):
                return run_pipeline(backend, image[None], plan)[0]
        with stages("network"):
            output = network_output(backend, image[None], plan)
        with stages("assignment"):
            ids = assign(output, height, width, plan.public) if output.ndim == 4 else resize_nearest(output, height, width, plan.public)
        with stages("connectivity"):
            return enforce_connectivity(ids[0], plan.min_size, plan.max_size)

    parameters = {
        "network": info.network,
        "checkpoint_sha256": info.checkpoint_sha256,
        "precision": info.precision,
        "engine": segmenter.device,
        "ainet": version("ainet-toolkit"),
    }
    return Peer(name, parameters, segment, threads=options.threads)


def _own(options: Options) -> Path:
    if options.weights is None:
        raise ModelError(f"method 'checkpoint' runs {FILE} of the folder of weights; name the folder that `ainet train` has written")
    return options.weights / FILE


def plan_for(height: int, width: int, n_segments: int) -> Plan:
    """The public protocol's plan where `n_segments` is its number at some scale (such as 600 at 321 x 481), else the usual one.

    Raises:
        AINetError: as of `plan_segments`.
    """
    if (height, width) in PUBLIC_PROTOCOL:
        base = PUBLIC_PROTOCOL[height, width][2]
        for scale in (tenths / 10 for tenths in TENTHS):
            if int(base * scale * scale) == n_segments:
                return plan_public(height, width, scale)
    return plan_segments(height, width, n_segments)
