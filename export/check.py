"""Check of an exported ONNX file: well-formed, right shapes, PyTorch's values."""

import copy
import os

import onnx
import onnxruntime
import torch
import torch.nn.functional as F

from ainet.errors import ModelError
from ainet.export.graph import cell_ids
from ainet.spec import CELL_SIZE, MEAN, NEIGHBOURS
from ainet.training.networks import UNet

SIZES = ((1, 16, 16), (2, 48, 112), (1, 176, 128))  # batch, height, width
# Largest difference of a probability from PyTorch that rounding explains; a wrong graph is off by far more.
TOLERANCES = {"fp32": 1e-4, "fp16": 1e-1}


def check_file(path: str | os.PathLike[str], network: UNet) -> None:
    """Run ONNX's checker, shape inference at three sizes, and a comparison with `network` (not folded, in float64) on blurred noise.

    Raises:
        ModelError: any of them fails; the message names the size and the difference.
    """
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the exported graph is not valid ONNX: {error}") from error
    output = model.graph.output[0].name
    precision = "fp16" if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer) else "fp32"
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # the engine's exceptions have no public common base
        raise ModelError(f"ONNX Runtime cannot load the exported graph: {error}") from error
    exact = copy.deepcopy(network).double()
    mean = torch.tensor(MEAN).reshape(3, 1, 1)
    for batch, height, width in SIZES:
        _check_shape(model, output, batch, height, width)
        photo = _blurred_noise(batch, height, width)
        image = photo / 255 - mean
        with torch.inference_mode():
            expected = exact(image.double()).softmax(1)
            rounding = float((network(image).softmax(1) - expected).abs().max())
        tolerance = max(TOLERANCES[precision], min(10 * rounding, 1e-2))  # untrained weights can amplify rounding
        (values,) = session.run([output], {"image": photo.byte().permute(0, 2, 3, 1).numpy() if output == "labels" else image.numpy()})
        _check_values(torch.from_numpy(values), expected, output, tolerance, f"{batch}x{height}x{width}")


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


def _check_values(values: torch.Tensor, expected: torch.Tensor, output: str, tolerance: float, size: str) -> None:
    """Compare with the association map `expected` (N, 9, H, W) of PyTorch."""
    if output == "labels":
        best = expected.topk(2, 1).values
        clear = best[:, 0] - best[:, 1] > 2 * tolerance  # (N, H, W); elsewhere either cell is right
        wrong = int(((values != cell_ids(expected)) & clear).sum())
        if wrong:
            raise ModelError(f"the exported graph gives {wrong} cell ids that differ from PyTorch's at {size} ({CELL_SIZE}-pixel cells)")
        return
    association = values.softmax(1) if output == "logits" else values
    error = float((association - expected).abs().max())
    if not error <= tolerance:  # also catches NaN
        raise ModelError(f"the exported graph differs from PyTorch by {error:.2g} at {size}, allowed is {tolerance:.0e}")
