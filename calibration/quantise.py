"""Checkpoint -> ONNX with INT8 convolutions, in the form that TensorRT, ONNX Runtime and OpenVINO take.

    model = exported(load_checkpoint("ainet.safetensors"))
    calibration = Calibration(model, choose_images(image_files(Path("photos"), print), 32))
    save_model(calibration.model(float_layers=("conv0a",)), "ainet-int8.onnx")

Every convolution reads through a pair of QuantizeLinear and DequantizeLinear: int8, symmetric, without zero point, activations
with one scale per tensor and weights with one per output channel. Biases, and what is between the convolutions, stay float.
"""

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

from ainet.arguments import check_choice
from ainet.calibration.graph import (
    QUANTISABLE,
    equalise,
    give_transposed_ranges,
    layers,
    multiply_adds,
    split_concatenations,
    split_quarters,
    to_half,
)
from ainet.calibration.images import CalibrationImage, network_input
from ainet.calibration.ranges import METHODS, Method, channel_maxima, clip, histograms, observe
from ainet.errors import ModelError, UsageError
from ainet.export.model_file import model_info, sign
from ainet.export.onnx import export_onnx
from ainet.files import atomic_path
from ainet.runtime.merging import MERGING_ENTRY
from ainet.runtime.model import PRECISIONS, Output, Precision
from ainet.training.checkpoint import Checkpoint

TENSORRT_FORM = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,  # TensorRT refuses an int32 DequantizeLinear
    "DedicatedQDQPair": True,
    "OpTypesToExcludeOutputQuantization": list(QUANTISABLE),  # the LeakyReLU after them is fused instead
}


def exported(checkpoint: Checkpoint, output: Output = "logits") -> onnx.ModelProto:
    """The checkpoint's network as `ainet export` writes it in fp32: BatchNorm folded, checked against PyTorch.

    With the border map where the checkpoint holds the cost for merging; not for labels, which are meant for engines of TensorRT.

    Raises:
        UsageError: unknown `output`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        export_onnx(checkpoint, path, "fp32", output, border_map=output != "labels" and checkpoint.has_border_map)
        return onnx.load(path)


class Calibration:
    """The ranges of one network on some images; `model` then writes any of its layers in INT8.

    Args:
        exported: an export in fp32, which is not changed.
        images: what the ranges are taken from.
        method: how ranges are clipped, see `ranges.clip`.
        progress: told how many of how many passes over an image are done.

    Attributes:
        layers: names of the convolution nodes by layer, in the network's order.
        cost: multiply-adds of each layer.
        float_model: the float network, its concatenations split and its channels equalised.
        info: metadata of the INT8 models.

    Raises:
        UsageError: unknown `method`.
        ModelError: not an fp32 export of this toolkit, or it has something that cannot be quantised.
    """

    def __init__(
        self,
        exported: onnx.ModelProto,
        images: Sequence[CalibrationImage],
        method: Method = "percentile",
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        check_choice("method", method, METHODS)
        layers(exported)  # refuses what cannot be quantised, before anything is split
        info = model_info(exported, "the model")
        if info.precision != "fp32":
            raise ModelError(f"the model is exported in {info.precision}, and INT8 is made of fp32; export it in that precision")
        self.info = replace(info, precision="int8")
        model = onnx.ModelProto()
        model.CopyFrom(exported)
        split_concatenations(model)
        split_quarters(model)
        self.layers = layers(model)
        self.cost = multiply_adds(model, self.layers)
        names = list(dict.fromkeys(node.input[0] for node in model.graph.node if node.op_type in QUANTISABLE))
        inputs = [network_input(image.pixels, self.info) for image in images]
        channels = equalise(model, channel_maxima(observe(model, _with_progress(inputs, progress, 0), names)))
        largest = {name: max(float(values.max()), 1e-6) for name, values in channels.items()}
        counts = histograms(observe(model, _with_progress(inputs, progress, 1), names), largest)
        self.limits = {name: clip(counts[name], largest[name], method) for name in names}
        self.float_model = model
        self._entries = {entry.key: entry.value for entry in exported.metadata_props if entry.key == MERGING_ENTRY}
        self._notes = {"method": method, "equalised": True, "images_sha256": sorted(image.sha256 for image in images)}

    def model(self, float_layers: Collection[str] = (), rest: Precision = "fp32") -> onnx.ModelProto:
        """The network in INT8, save for `float_layers`; they and all between the convolutions are in `rest`.

        Raises:
            UsageError: a layer that is not there, or an unknown `rest`.
        """
        if unknown := [name for name in float_layers if name not in self.layers]:
            raise UsageError(f"unknown layer '{unknown[0]}'; the network has {', '.join(self.layers)}")
        check_choice("rest", rest, PRECISIONS)
        excluded = [node for name in float_layers for node in self.layers[name]]
        limits = {name: TensorData(lowest=np.float32(-limit), highest=np.float32(limit)) for name, limit in self.limits.items()}
        copy = onnx.ModelProto()
        copy.CopyFrom(self.float_model)
        quantizer = QDQQuantizer(
            copy,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, limits),
            nodes_to_quantize=[],
            nodes_to_exclude=excluded,
            op_types_to_quantize=list(QUANTISABLE),
            extra_options=TENSORRT_FORM,
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        model: onnx.ModelProto = quantizer.model.model
        give_transposed_ranges(model)
        if rest == "fp16":
            model = to_half(model)
        notes = {**self._notes, "float_layers": [name for name in self.layers if name in float_layers], "rest": rest}
        sign(model, self.info, {**self._entries, "calibration": json.dumps(notes, sort_keys=True)})
        onnx.checker.check_model(model, full_check=True)
        return model


def _with_progress(inputs: Sequence[NDArray[Any]], progress: Callable[[int, int], None], number: int) -> Iterator[NDArray[Any]]:
    """The inputs, with `progress` told of each in pass `number` of two."""
    for done, image in enumerate(inputs, 1 + number * len(inputs)):
        yield image
        progress(done, 2 * len(inputs))


def save_model(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write `model`, whole or not at all; equal models give equal files.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
