"""Opening models: what a graph must be, engines that refuse, and what happens after `close`."""

import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.fixed_backend import FixedBackend, FixedMap

from ainet import Segmenter
from ainet.errors import DeviceError, ModelError, UsageError
from ainet.export.whole import load_whole
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.runtime.backends.base import MergingBackend, check_output, first_line
from ainet.runtime.graph import TensorType, check_types, expected_types
from ainet.runtime.oversegmentation import over_segment
from ainet.runtime.plan import plan_segments

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
TORCH = pytest.param("torch", marks=pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no PyTorch"))
DEVICES = ["cpu", pytest.param("openvino", marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="no OpenVINO"))]
Change = Callable[["onnx.ModelProto"], None]


def renamed(model: "onnx.ModelProto") -> None:
    for node in model.graph.node:
        node.input[:] = ["photo" if name == "image" else name for name in node.input]
    model.graph.input[0].name = "photo"


def static(model: "onnx.ModelProto") -> None:
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 32, 48), strict=True):
        dimension.dim_value = size


def input_in_half(model: "onnx.ModelProto") -> None:
    renamed(model)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["photo"], ["single"], to=onnx.TensorProto.FLOAT))
    for node in model.graph.node[1:]:
        node.input[:] = ["single" if name == "photo" else name for name in node.input]


def convolution_without_weights(model: "onnx.ModelProto") -> None:
    del next(node for node in model.graph.node if node.op_type == "Conv").input[1:]


def changed(folder: Path, change: Change) -> Path:
    model = load_whole(bundled("ainet.onnx"))
    change(model)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


@pytest.mark.parametrize("device", DEVICES)
def test_the_name_of_the_input_does_not_matter(tmp_path: Path, device: str) -> None:
    image = np.random.default_rng(0).random((1, 3, 32, 48), np.float32)
    scores = [open_backend(path, device).run(image) for path in (bundled("ainet.onnx"), changed(tmp_path, renamed))]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("change", "said"),
    [(static, "32, 48"), (input_in_half, "float16"), (convolution_without_weights, "valid ONNX")],
    ids=["static", "input in half", "convolution without weights"],
)
def test_graphs_that_were_changed_are_refused_on_loading(tmp_path: Path, device: str, change: Change, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        open_backend(changed(tmp_path, change), device)


@pytest.mark.parametrize("device", DEVICES)
def test_metadata_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """Where the package onnx, whose checker would find them, is not installed."""
    path, good = tmp_path / "x.onnx", load_whole(bundled("scn.onnx")).SerializeToString()
    monkeypatch.setitem(sys.modules, "onnx", None)
    path.write_bytes(good.replace(b'"network"', b'"\xff\xfetwork"'))
    with pytest.raises(ModelError, match="that are no text"):
        open_backend(path, device)
    if device == "cpu":  # OpenVINO does not name dimensions
        path.write_bytes(good.replace(b"half_height", b"half\xffheight").replace(b"height", b"\xffeight"))
        with pytest.raises(ModelError, match="that are no text"):
            open_backend(path, device)


def test_the_precision_is_the_graphs(tmp_path: Path) -> None:
    model = load_whole(bundled("ainet.onnx"))
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == "network.pred_mask0.weight")
    kernel = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.round(kernel * 100).clip(-127, 127).astype(np.int8), "codes"))
    scale = onnx.numpy_helper.from_array(np.float32(0.01), "scale")
    model.graph.initializer.append(scale)
    model.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", ["codes", "scale"], ["network.pred_mask0.weight"]))
    onnx.save(model, tmp_path / "int8.onnx")
    assert open_backend(tmp_path / "int8.onnx", "cpu").info.precision == "int8"
    assert open_backend(bundled("ainet.onnx"), "cpu").info.precision == "fp32"


def test_types_against_the_metadata() -> None:
    info = FixedBackend(np.empty(0)).info
    for described in (info, replace(info, output="labels")):
        image, output = expected_types(described)
        check_types(described, [image], output, "x")
        for inputs, given in (([], output), ([image, image], output), ([output], output), ([image], image)):
            with pytest.raises(ModelError):
                check_types(described, inputs, given, "x")
    image, output = expected_types(info)
    with pytest.raises(ModelError, match="12"):
        check_types(info, [image], TensorType("float32", (None, 12, None, None)), "x")


@pytest.mark.parametrize("device", [*DEVICES, TORCH])
def test_closing_while_threads_run(device: str) -> None:
    """Each run either ends as usual or says that the model is closed."""
    backend = Segmenter.load(device=device, threads=1).backend
    image = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    expected = backend.run(image)
    started = threading.Barrier(4)
    outcomes: list[object] = []

    def work() -> None:
        started.wait()
        try:
            for _ in range(1000):
                np.testing.assert_array_equal(backend.run(image), expected)
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    backend.close()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 3
    assert all(isinstance(outcome, UsageError) for outcome in outcomes), outcomes
    backend.close()


def test_outputs_of_another_shape_are_not_taken() -> None:
    image = np.zeros((1, 3, 32, 48), np.float32)
    backend = FixedBackend(np.zeros((1, 9, 32, 48), np.float32))
    check_output(backend.run(image), image, backend)
    photo, ids = np.zeros((2, 32, 48, 3), np.uint8), FixedBackend(np.zeros((2, 32, 48), np.int32), "labels")
    check_output(ids.run(photo), photo, ids)
    with pytest.raises(DeviceError, match=r"\(1, 9, 32, 48\)"):
        check_output(backend.run(image), np.zeros((1, 3, 48, 32), np.float32), backend)
    with pytest.raises(DeviceError):
        check_output(ids.run(photo), photo[:1], ids)
    for changed in (np.moveaxis(backend.answer, 1, 3), backend.answer[:, :8], backend.answer[0]):  # by no lack of memory
        with pytest.raises(ModelError, match="export it again"):
            check_output(changed, image, backend)
    with pytest.raises(ModelError, match="export it again"):
        check_output(ids.answer[..., None], photo, ids)


def test_too_little_memory_is_called_so() -> None:
    assert first_line(RuntimeError("Exception from src/core.cpp:1:\nstd::bad_alloc")) == "there is not enough memory"
    assert first_line(RuntimeError("Exception from src/core.cpp:1:\nno such node\nmore")) == "no such node"


@pytest.mark.parametrize(
    ("scores", "border_map", "error"),
    [
        ((1, 9, 32, 64), (1, 16, 24, 16), DeviceError),
        ((1, 9, 32, 48), (1, 16, 32, 16), DeviceError),
        ((1, 9, 32, 48), (1, 16, 24, 4), ModelError),
    ],
    ids=["scores", "map", "channels"],
)
def test_border_maps_of_another_shape_are_not_taken(scores: tuple[int, ...], border_map: tuple[int, ...], error: type[Exception]) -> None:
    """As the scores beside them, by the way that most images take."""
    engine = open_backend(bundled("ainet.onnx"), "cpu")
    assert isinstance(engine, MergingBackend) and engine.merge_model is not None
    backend = FixedMap(np.zeros(scores, np.float32), np.zeros(border_map, np.float32), engine.merge_model)
    with pytest.raises(error):
        over_segment(backend, np.zeros((32, 48, 3), np.uint8), plan_segments(32, 48, 6))
