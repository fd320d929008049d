"""The engine inspector's reports, in the forms of TensorRT 10, 11 and TensorRT-RTX, and what is concluded from them."""

import json
from types import SimpleNamespace

import pytest
from support.tensorrt_names import RECORDED, StandIn, names_of

from ainet.errors import DeviceError, ModelError
from ainet.export.inspector import check_precisions, count_precisions, inspect
from ainet.runtime.tensorrt_api import TensorRtPackage


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


# Engines that a GPU looks at, or none can


SHAPE = (1, 3, 64, 96)


def machine(monkeypatch, names, gpu="sm90"):
    """A package of these names, and what stands behind it, on a machine with that GPU or none."""

    def capability():
        if gpu is None:
            raise DeviceError("no usable NVIDIA GPU (CUDA driver version is insufficient for CUDA runtime version)")
        return gpu

    monkeypatch.setattr("ainet.export.inspector.local_capability", capability)
    made = StandIn(names, "11.4.0", report("11", "fp16", "fp16", "fp32"))
    return TensorRtPackage("tensorrt", made.api, SimpleNamespace(errors=["of the build"])), made


def refuse(package, made, reason):
    """Let the library load no engine."""
    made.api.Runtime().deserialize_cuda_engine.return_value = None
    made.api.Runtime().deserialize_cuda_engine.side_effect = lambda plan: package.logger.errors.append(reason)


@pytest.fixture
def rtx_names():
    return names_of(pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'ainet-toolkit[tensorrt-rtx]'"))


@pytest.mark.parametrize("version", RECORDED)
def test_looking_takes_no_memory_for_the_largest_input(monkeypatch, version):
    package, made = machine(monkeypatch, RECORDED[version])
    assert inspect(package, b"plan", SHAPE) == {"fp16": 2, "fp32": 1}
    engine = made.api.Runtime().deserialize_cuda_engine(b"plan")
    engine.create_execution_context.assert_called_once_with(made.api.ExecutionContextAllocationStrategy.USER_MANAGED)
    made.context.set_input_shape.assert_called_once_with("image", SHAPE)
    assert engine.create_engine_inspector().execution_context is made.context


@pytest.mark.parametrize("version", RECORDED)
def test_without_a_gpu_nothing_is_learned(monkeypatch, version):
    package, made = machine(monkeypatch, RECORDED[version], gpu=None)
    refuse(package, made, "Cuda Runtime (cudaError 35)")
    assert inspect(package, b"plan", SHAPE) == {}


@pytest.mark.parametrize("version", RECORDED)
def test_a_gpu_that_cannot_load_its_engine_is_an_error(monkeypatch, version):
    package, made = machine(monkeypatch, RECORDED[version])
    refuse(package, made, "Cuda Runtime (out of memory)")
    with pytest.raises(DeviceError) as caught:
        inspect(package, b"plan", SHAPE)
    assert str(caught.value) == (
        "tensorrt 11.4.0 cannot load the engine on this machine's GPU to check its layers: Cuda Runtime (out of memory); "
        "free memory of other programs, or update the driver"
    )


def test_a_gpu_that_makes_no_context_is_an_error(monkeypatch):
    package, made = machine(monkeypatch, RECORDED["11.4.0.106"])
    made.api.Runtime().deserialize_cuda_engine(b"plan").create_execution_context.return_value = None
    with pytest.raises(DeviceError, match="check its layers: it gave no reason; free memory"):
        inspect(package, b"plan", SHAPE)


@pytest.mark.parametrize(("reason", "other"), [("UNSUPPORTED_CC", True), ("INSUFFICIENT_GPU_MEMORY", False), ("OLD_CUDA_DRIVER", False)])
def test_an_engine_for_other_gpus_is_told_from_one_that_fails(monkeypatch, rtx_names, reason, other):
    package, made = machine(monkeypatch, rtx_names)
    refuse(package, made, "it says no")
    diagnostics = made.api.EngineInvalidityDiagnostics
    made.api.Runtime().get_engine_validity.return_value = (2, getattr(diagnostics, reason) | diagnostics.CUDA_ERROR)
    if other:
        assert inspect(package, b"plan", SHAPE) == {}
        return
    with pytest.raises(DeviceError, match=r"it says no; .*, or build without the GPU: CUDA_VISIBLE_DEVICES= ainet build MODEL\.onnx$"):
        inspect(package, b"plan", SHAPE)
