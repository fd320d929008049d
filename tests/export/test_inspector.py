"""The engine inspector's reports, in the forms of TensorRT 10, 11 and TensorRT-RTX, and what is concluded from them."""

import json

import pytest

from ainet.errors import ModelError
from ainet.export.inspector import check_precisions, count_precisions


def tensor(name, **entries):
    return {"Name": name, "Location": "Device", "Dimensions": [1, 16, 320, 480], **entries}


def report(kind, *types):
    """One engine of `kind`: a reformatting copy, a convolution for each of `types`, and integer output, with a float input throughout."""
    written = {
        "10": lambda name, form: {"Format/Datatype": name},  # without a context
        "10 in a context": lambda name, form: {"Format/Datatype": form},
        "11": lambda name, form: {"Format": form, "DataType": name},
        "rtx": lambda name, form: {"Format": "Format not available due to dynamic shapes", "Datatype": name},
    }[kind]
    names = {"fp16": ("Half", "Channel major FP16 format where channel % 8 == 0"), "fp32": ("Float", "Row major linear FP32 format")}
    names |= {"int8": ("Int8", "Thirty-two wide channel vectorized row major Int8 format"), "bf16": ("BFloat16", "Row major linear BF16")}
    integer = written("Int32", "Row major linear INT32 format (kLINEAR)")
    layers = [
        {"Name": "copy", "LayerType": "NoOp", "Inputs": [tensor("image", **integer)], "Outputs": [tensor("copied", **integer)]},
        *(
            {
                "Name": f"__myl_ConvLeaky_{index}",
                "LayerType": "CaskConvolution",
                "Inputs": [tensor("x", **written(*names["fp32"]))],
                "Outputs": [tensor(f"y{index}", **written(*names[kind]))],
                "Weights": {"Type": "Float", "Count": 2304},
                "TacticName": "sm90_xmma_fprop_implicit_gemm_f32f32_f32f32_f32",
                "StreamId": 0,
                "Metadata": f"[ONNX Layer: node_conv2d_{index}]",
            }
            for index, kind in enumerate(types)
        ),
        {"Name": "shape", "LayerType": "shape_call", "Inputs": [], "Outputs": []},
    ]
    io = {"Bindings": ["image", "labels"]} if kind.startswith("10") else {"I/O Tensors": [{"Name": "image", "DataType": "Float"}]}
    return json.dumps({"Layers": layers, **io})


@pytest.mark.parametrize("kind", ["10", "10 in a context", "11", "rtx"])
def test_outputs_are_counted_in_every_form(kind):
    assert count_precisions(report(kind, "fp16", "fp16", "fp32", "int8", "bf16")) == {"fp16": 2, "fp32": 1, "int8": 1}
    assert count_precisions(report(kind, *["fp32"] * 4)) == {"fp32": 4}


@pytest.mark.parametrize(
    "text",
    [
        '{"Layers": ["conv1 + leaky1", "conv2"], "Bindings": ["image"]}',  # names alone
        '{"Layers": [{"Name": "conv1", "Outputs": [{"Name": "y"}, "y"]}, {"Name": "conv2"}]}',
        '{"Layers": []}',
        '{"Layers": [{"Name": "a "quoted" name"}]}',
        "[]",
        "",
    ],
)
def test_reports_without_types_tell_nothing(text):
    assert count_precisions(text) == {}
    check_precisions({}, "fp16")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("fp32", {"fp32": 40}),
        ("fp32", {"fp32": 40, "fp16": 1}),
        ("fp16", {"fp16": 40, "fp32": 3}),
        ("int8", {"int8": 20, "fp16": 25, "fp32": 2}),
    ],
)
def test_engines_as_asked_pass(asked, found):
    check_precisions(found, asked)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("fp16", {"fp32": 40}),
        ("fp16", {"fp32": 30, "fp16": 10}),
        ("int8", {"fp16": 40}),
        ("int8", {"fp32": 40}),
        ("fp32", {"fp16": 40, "fp32": 3}),
    ],
)
def test_other_engines_are_an_error(asked, found):
    names = ", ".join(f"{count} {name}" for name, count in found.items())
    with pytest.raises(ModelError, match=f"the engine is not {asked}: its layers' outputs are {names}; .* update TensorRT"):
        check_precisions(found, asked)
