"""Checkpoint -> ONNX file with dynamic batch, height and width.

    export_onnx(load_checkpoint("ainet.safetensors"), "ainet.onnx", precision="fp16", output="labels")

The precision is in the graph (strongly typed), so that every engine runs what was asked for.
"""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Collection, Iterator

import onnx
import torch

from ainet.arguments import check_choice
from ainet.errors import UsageError
from ainet.export.check import check_file
from ainet.export.graph import WithOutput
from ainet.export.model_file import sign
from ainet.files import atomic_path
from ainet.runtime.merging import BORDER_MAP, MERGING_ENTRY
from ainet.runtime.model import OUTPUTS, PRECISIONS, Output, Precision
from ainet.spec import CELL_SIZE
from ainet.training.checkpoint import Checkpoint
from ainet.training.networks.folding import deployable

OPSET = 18
DIMENSIONS = {"logits": (2, 3), "association": (2, 3), "labels": (1, 2)}  # where height and width stand in the input


def export_onnx(
    checkpoint: Checkpoint,
    path: str | os.PathLike[str],
    precision: Precision = "fp32",
    output: Output = "logits",
    islands: Collection[str] = (),
    border_map: bool = False,
) -> None:
    """Write the checkpoint's network as an ONNX file (opset 18), checked against PyTorch before it takes its name.

    Input `image`: normalised RGB float32 (N, 3, H, W), or RGB uint8 (N, H, W, 3) for `output="labels"`.
    Output, named as `output`: float32 (N, 9, H, W) `logits` or `association` (softmax), or int32 cell ids (N, H, W) `labels`.
    H and W are multiples of 16. `islands`: layers that stay in float32 at fp16, see `ainet.export.islands`. The metadata
    entry "ainet" is JSON: network, grid, normalisation, precision, output, SHA-256 of the checkpoint, version of the toolkit.
    With `border_map` there is a second output of that name, float32 (N, H/2, W/2, C), and an entry "ainet-merging": the cost by
    which superpixels merge, see `ainet.runtime.merging`.

    Raises:
        UsageError: unknown `precision` or `output`, or a checkpoint without that cost.
        ModelError: the file's values differ from PyTorch's; no file is left.
        OutputError: the file cannot be written.
    """
    check_choice("precision", precision, PRECISIONS)
    check_choice("output", output, OUTPUTS)
    if border_map and not checkpoint.has_border_map:
        raise UsageError("this checkpoint holds no cost for merging; train one with: ainet train-merging --weights CHECKPOINT")
    merging = checkpoint.merging if border_map else None
    with atomic_path(path) as temporary:
        head = None if merging is None else merging.head
        model = _trace(WithOutput(deployable(checkpoint.network), output, precision, islands, head).eval(), output)
        _describe(model, checkpoint, precision, output, {} if merging is None else {MERGING_ENTRY: merging.weights().to_json()})
        onnx.save(model, temporary)
        check_file(temporary, checkpoint.network, output, precision)


def _trace(module: WithOutput, output: Output) -> onnx.ModelProto:
    # The sizes are examples and differ from each other, so that none is taken for another or for a constant.
    example = torch.zeros((2, 48, 80, 3), dtype=torch.uint8) if output == "labels" else torch.zeros(2, 3, 48, 80)
    dim = torch.export.Dim
    height, width = DIMENSIONS[output]
    shapes = {
        "image": {0: dim("batch", max=2**16), height: CELL_SIZE * dim("rows", max=2**14), width: CELL_SIZE * dim("columns", max=2**14)}
    }
    names = [output] if module.head is None else [output, BORDER_MAP]
    with _quiet():
        program = torch.onnx.export(
            module, (example,), dynamo=True, dynamic_shapes=shapes, input_names=["image"], output_names=names, opset_version=OPSET
        )
    assert program is not None
    return program.model_proto


def _describe(model: onnx.ModelProto, checkpoint: Checkpoint, precision: Precision, output: Output, entries: dict[str, str]) -> None:
    """Replace the exporter's notes (file names, stack traces) by our metadata, and name the dynamic dimensions."""
    graph = model.graph
    graph.name = checkpoint.name
    graph.doc_string = ""
    del graph.value_info[:]
    for item in (*graph.node, *graph.input, *graph.output, graph):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    names = {f"{CELL_SIZE}*rows": "height", f"{CELL_SIZE}*columns": "width"}
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]
    for value in graph.output[1:]:  # the border map: the exporter derives its sizes from the layers
        value.type.tensor_type.shape.dim[1].dim_param, value.type.tensor_type.shape.dim[2].dim_param = "half_height", "half_width"
    sign(model, checkpoint.info(output, precision), entries)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress lines and deprecation notes off the user's terminal."""
    level = logging.getLogger("torch.onnx").level
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            yield
        finally:
            logging.getLogger("torch.onnx").setLevel(level)
