"""What the association-implantation module costs: multiply-adds and time of each network, as ratios to SCN.

    python -m ainet.benchmarks.speed.network_cost --size 320x480 --threads 2 --json cost.json

The networks run alternately in one process through ONNX Runtime, so that the ratios hold on a busy machine too.
Time does not depend on the weights: these are random.
"""

import argparse
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from ainet.benchmarks.speed.machine import machine, versions
from ainet.export.onnx import export_onnx
from ainet.files import write_json
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.networks import NETWORKS, build


def multiply_adds(path: str | os.PathLike[str], height: int, width: int) -> int:
    """Multiply-adds of the convolutions of an exported model, for one image of `height` x `width` working pixels."""
    # Each weight meets each place of the output (convolution) or of the input (transposed convolution) once.
    return sum(
        math.prod(weight) * math.prod((output if operator == "Conv" else source)[2:])
        for operator, source, weight, output in _convolutions(path, height, width)
    )


def elements(path: str | os.PathLike[str], height: int, width: int) -> tuple[int, int]:
    """Elements of what the convolutions of an exported model read and write for one image, and of their weights.

    So much goes through memory where each layer reads its input once and writes its output once, with what lies between
    the convolutions (activations, concatenations, sums) done on the way.
    """
    layers = _convolutions(path, height, width)
    moved = sum(math.prod(source) + math.prod(output) for _, source, _, output in layers)
    return moved, sum(math.prod(weight) for _, _, weight, _ in layers)


def _convolutions(path: str | os.PathLike[str], height: int, width: int) -> list[tuple[str, list[int], list[int], list[int]]]:
    """Operator, and shapes of input, weights and output, of each convolution at batch 1."""
    model = onnx.load(path)
    sizes = {"batch": 1, "height": height, "width": width}
    for dimension in model.graph.input[0].type.tensor_type.shape.dim:
        if dimension.dim_param:
            dimension.dim_value = sizes[dimension.dim_param]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    weights = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    return [
        (node.op_type, shapes[node.input[0]], weights[node.input[1]], shapes[node.output[0]])
        for node in inferred.node
        if node.op_type in ("Conv", "ConvTranspose")
    ]


def measure(height: int, width: int, threads: int, repeats: int) -> list[dict[str, Any]]:
    """One row per network: multiply-adds, median time in ms, and both as ratios to SCN; ratios of times are of neighbouring runs."""
    names = ["scn", *(name for name in NETWORKS if name != "scn")]
    with tempfile.TemporaryDirectory() as folder:
        models = {name: _export(name, Path(folder)) for name in names}
        counts = {name: multiply_adds(models[name], height, width) for name in names}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        sessions = {name: onnxruntime.InferenceSession(models[name], options, providers=["CPUExecutionProvider"]) for name in names}
    image = np.random.default_rng(0).standard_normal((1, 3, height, width), np.float32) * np.float32(0.3)
    for session in sessions.values():
        session.run(None, {"image": image})
    times = np.array([[_seconds(sessions[name], image) for name in names] for _ in range(repeats)])
    return [
        {
            "network": name,
            "multiply_adds": counts[name],
            "multiply_adds_ratio": counts[name] / counts["scn"],
            "median_ms": float(np.median(times[:, column])) * 1e3,
            "time_ratio": float(np.median(times[:, column] / times[:, 0])),
        }
        for column, name in enumerate(names)
    ]


def _export(name: str, folder: Path) -> Path:
    checkpoint, path = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    save_checkpoint(checkpoint, build(name), {"network": name})
    export_onnx(load_checkpoint(checkpoint), path)
    return path


def _seconds(session: onnxruntime.InferenceSession, image: np.ndarray[Any, Any]) -> float:
    start = time.perf_counter()
    session.run(None, {"image": image})
    return time.perf_counter() - start


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description="Multiply-adds and time of the networks, as ratios to SCN.")
    parser.add_argument("--size", default="320x480", help="working height x width, multiples of 16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--json", type=Path, help="also write the rows and the machine to this file")
    arguments = parser.parse_args()
    height, width = map(int, arguments.size.split("x"))
    rows = measure(height, width, arguments.threads, arguments.repeats)
    table = Table(
        "network", "multiply-adds", "/ SCN", "median ms", "/ SCN", title=f"{arguments.size}, ONNX Runtime, {arguments.threads} threads"
    )
    for row in rows:
        table.add_row(
            row["network"],
            f"{row['multiply_adds'] / 1e6:,.0f} M",
            f"{row['multiply_adds_ratio']:.3f}",
            f"{row['median_ms']:.1f}",
            f"{row['time_ratio']:.3f}",
        )
    Console().print(table)
    if arguments.json:
        settings = {"size": arguments.size, "threads": arguments.threads, "repeats": arguments.repeats}
        write_json(arguments.json, {"settings": settings, "rows": rows, "versions": versions(), "machine": machine()})


if __name__ == "__main__":
    main()
