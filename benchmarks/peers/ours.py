"""AINet and SCN on any of the toolkit's backends, the way of `ainet.Segmenter`: by quality "fast", the plain grid, in timed stages, or by
quality "best", merged to the exact number.

They run the bundled weights, a checkpoint in PyTorch, or engines of TensorRT, which the folder of weights must hold (`ainet.engine`,
made by `ainet build`).
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import cv2

from ainet.benchmarks.peers.base import Method, Name, Options
from ainet.benchmarks.peers.peer import Image, Labels, Peer
from ainet.benchmarks.speed.clock import Stages
from ainet.errors import DeviceError, ModelError
from ainet.models import ENGINE, Device
from ainet.runtime.backends.base import LabelBackend
from ainet.runtime.pipeline import network_output, run_pipeline
from ainet.runtime.plan import PUBLIC_PROTOCOL, Plan, plan_public, plan_segments
from ainet.runtime.postprocess import assign, enforce_connectivity, resize_nearest
from ainet.segmenter import Segmenter

FILE = "weights.safetensors"
ENGINES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "PyTorch": "torch"}
TENTHS = range(1, 21)  # scales of the public protocol, in tenths


@dataclass(kw_only=True)
class OwnPeer(Peer):
    """A method of ours, with the `Segmenter` behind it."""

    segmenter: Segmenter


def open_method(name: str, options: Options) -> Method:
    parts = Name.parse(name)
    device = f"torch:{options.device}" if parts.network == "checkpoint" else parts.device or "cpu"
    torch_device = Device.parse(device).engine == "torch"
    segmenter = Segmenter.load(_model(parts.network, device, options), device, options.threads, parts.precision or "auto")
    backend, info = segmenter.backend, segmenter.info
    if parts.network not in (info.network, "checkpoint"):
        raise ModelError(f"method '{name}' runs {parts.network}{ENGINE}, which holds the network {info.network}; {_build(parts.network)}")

    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        if torch_device:
            import torch

            torch.set_num_threads(options.threads)
        if parts.exact:
            with stages("pipeline"):
                return segmenter(image, n_segments, quality="best")
        height, width = image.shape[:2]
        plan = plan_for(height, width, n_segments)
        if isinstance(backend, LabelBackend):  # all on a GPU, in one captured graph
            with stages("pipeline"):
                return run_pipeline(backend, image[None], plan, options.threads)[0]
        with stages("network"):
            output = network_output(backend, image[None], plan, options.threads)
        with stages("assignment"):
            if output.ndim == 4:
                logits = info.output == "logits"
                ids = assign(output, height, width, plan.public, smoothing=plan.smoothing, logits=logits, threads=options.threads)
            else:
                ids = resize_nearest(output, height, width, plan.public)
        with stages("connectivity"):
            return enforce_connectivity(ids[0], plan.min_size, plan.max_size)

    parameters = {
        "network": info.network,
        "checkpoint_sha256": info.checkpoint_sha256,
        "precision": info.precision,
        "exact": parts.exact,
        "engine": segmenter.device,
        **_engine_version(segmenter.device),
        "opencv": cv2.__version__,
        "ainet": version("ainet-toolkit"),
    }
    return OwnPeer(name, parameters, segment, threads=options.threads, segmenter=segmenter)


def _model(network: str, device: str, options: Options) -> str | Path:
    """The model that a method runs: a file, or the name of bundled weights."""
    if network == "checkpoint":
        if options.weights is None:
            raise ModelError(f"method 'checkpoint' runs {FILE} of the folder of weights; name the folder that `ainet train` has written")
        return options.weights / FILE
    if Device.parse(device).engine == "tensorrt":
        engine = network + ENGINE
        if options.weights is None or not (options.weights / engine).is_file():
            raise DeviceError(f"method '{network}@{device}' runs {engine} of the folder of weights; {_build(network)}")
        return options.weights / engine
    return network


def _build(network: str) -> str:
    """What to do for an engine of a network."""
    return f"make it with: ainet export {network} -o {network}.onnx, ainet build {network}.onnx"


def _engine_version(engine: str) -> dict[str, str]:
    """Of the library behind "ONNX Runtime (CPU)" and the like; an engine of TensorRT was built for one version."""
    module = ENGINES.get(engine.partition(" (")[0])
    return {} if module is None else {module: import_module(module).__version__}


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
