"""Check of an exported ONNX file: well-formed, right shapes, PyTorch's values."""

import copy
import os
from dataclasses import replace

import onnx
import onnxruntime
import torch
import torch.nn.functional as F

from ainet.errors import ModelError
from ainet.export.agreement import BOUNDS, Agreement
from ainet.spec import MEAN, NEIGHBOURS
from ainet.training.networks import UNet

SIZES = ((1, 16, 16), (2, 48, 112), (1, 176, 128))  # batch, height, width


def check_file(path: str | os.PathLike[str], network: UNet, output: str, precision: str) -> None:
    """Run ONNX's checker, shape inference at three sizes, and a comparison with `network` (not folded, in float64) on blurred noise.

    Raises:
        ModelError: any of them fails; the message names the size and the difference.
    """
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the exported graph is not valid ONNX: {error}") from error
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # the engine's exceptions have no public common base
        raise ModelError(f"ONNX Runtime cannot load the exported graph: {error}") from error
    exact = copy.deepcopy(network).double()
    mean = torch.tensor(MEAN).reshape(3, 1, 1)
    tolerance = BOUNDS[precision].q
    assert tolerance is not None
    bounds = replace(BOUNDS[precision], argmax=1)  # of the pixels that rounding cannot move
    for batch, height, width in SIZES:
        _check_shape(model, output, batch, height, width)
        photo = _blurred_noise(batch, height, width)
        image = photo / 255 - mean
        with torch.inference_mode():
            expected = exact(image.double()).float().numpy()
        (found,) = session.run([output], {"image": photo.byte().permute(0, 2, 3, 1).numpy() if output == "labels" else image.numpy()})
        agreement = Agreement()
        agreement.add(expected, found, output, margin=2 * tolerance)
        if agreement.failures(bounds):
            raise ModelError(f"the exported graph differs from PyTorch at {batch}x{height}x{width}: {agreement}; allowed is {tolerance:g}")


def _blurred_noise(batch: int, height: int, width: int) -> torch.Tensor:
    """Whole numbers in 0..255 as float32 (N, 3, H, W), with the smoothness of a photo."""
    coarse = torch.rand((batch, 3, height // 8, width // 8), generator=torch.Generator().manual_seed(0)) * 255
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255).round()


def _check_shape(model: onnx.ModelProto, output: str, batch: int, height: int, width: int) -> None:
    sized = copy.deepcopy(model)
    value = {"batch": batch, "height": height, "width": width}
    for dimension in sized.graph.input[0].type.tensor_type.shape.dim:
        if dimension.dim_param:
            dimension.dim_value = value[dimension.dim_param]
    sized.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(sized, strict_mode=True, data_prop=True)
    shape = [dimension.dim_value for dimension in inferred.graph.output[0].type.tensor_type.shape.dim]
    expected = [batch, height, width] if output == "labels" else [batch, NEIGHBOURS, height, width]
    if shape != expected:
        raise ModelError(f"the exported graph gives shape {shape} for an input of {batch}x{height}x{width}, expected {expected}")
