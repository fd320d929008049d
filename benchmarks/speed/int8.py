"""What INT8 costs and gains: accuracy on BSDS500 val, time per backend, and how many calibration images are enough.

    python -m ainet.benchmarks.speed.int8 BSDS500/data --json benchmarks/results/int8.json

Calibrates the bundled weights on BSDS500 train, with plain min-max ranges and as `ainet calibrate` does. Figures are means over all
(image, ground truth) pairs at about 600 superpixels. The engines run alternately in one process, so that their ratios hold on a
busy machine too.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
from rich.console import Console

from ainet.benchmarks.speed.machine import machine, versions
from ainet.calibration import DEFAULT_COUNT
from ainet.calibration.images import SEGMENTS, CalibrationImage, choose_images
from ainet.calibration.quantise import Calibration, save_model
from ainet.calibration.score import judges_of_bsds
from ainet.calibration.sensitivity import keep_boundaries, report
from ainet.export.agreement import compare, mean_metrics
from ainet.files import write_json
from ainet.runtime.backends import open_backend
from ainet.segmenter import bundled
from ainet.training.datasets import BSDS500

COUNTS = (4, 8, 16, 32, 64, 128)
console = Console(stderr=True)


def accuracy(models: dict[str, tuple[Path, str]], bsds: Path, split: str, step: int) -> dict[str, dict[str, float]]:
    """ASA, BR, BP and equal best cells of every model (file, device) on each `step`th image; the first model is the reference."""
    backends = [open_backend(path, device) for path, device in models.values()]
    samples = BSDS500(bsds, split)[::step]
    agreements = compare(backends[0], backends, ((sample.image_path, sample.image()) for sample in samples), SEGMENTS)
    metrics = mean_metrics(backends, samples, SEGMENTS)
    return {name: {**means, "equal": agreement.argmax} for name, means, agreement in zip(models, metrics, agreements, strict=True)}


def speed(files: dict[str, Path], height: int, width: int, threads: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median time in ms, and ratio to ONNX Runtime fp32 in neighbouring runs, of the network alone at static sizes."""
    image = np.random.default_rng(0).standard_normal((1, 3, height, width), np.float32) * np.float32(0.3)
    runs: dict[str, Callable[[], object]] = {}
    for name in ("fp32", "int8"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(_static(files[name], height, width), options, providers=["CPUExecutionProvider"])
        runs[f"ONNX Runtime {name}"] = partial(session.run, None, {"image": image})
    for name, hint in (("fp32", "f32"), ("fp32", "bf16"), ("int8", "f32"), ("int8", "bf16"), ("all int8", "f32"), ("all int8", "bf16")):
        network = openvino.Core().read_model(_static(files[name], height, width))
        options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        request = openvino.compile_model(network, "CPU", options).create_infer_request()
        label = hint if name == "fp32" else f"{name}, rest {hint}"
        runs[f"OpenVINO {label}"] = partial(request.infer, [image])
    for run in runs.values():
        run()
    times = np.array([[_seconds(run) for run in runs.values()] for _ in range(repeats)])
    return {
        name: {"median_ms": float(np.median(times[:, column])) * 1e3, "ratio": float(np.median(times[:, 0] / times[:, column]))}
        for column, name in enumerate(runs)
    }


def _static(path: Path, height: int, width: int) -> bytes:
    model = onnx.load(path)
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, height, width), strict=True):
        dimension.dim_value = size
    return model.SerializeToString()


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def curve(model: onnx.ModelProto, pool: list[Path], bsds: Path, step: int, folder: Path) -> list[dict[str, float]]:
    """Accuracy on val of the network with all layers in INT8, against the number of calibration images."""
    models = {"fp32": (bundled("ainet.onnx"), "cpu")}
    for count in COUNTS:
        console.print(f"curve: calibrating on {count} images")
        models[str(count)] = (folder / f"{count}.onnx", "cpu")
        save_model(Calibration(model, choose_images(pool, count)).model(), models[str(count)][0])
    figures = accuracy(models, bsds, "val", step)
    return [
        {
            "images": count,
            "asa_change": figures[str(count)]["asa"] - figures["fp32"]["asa"],
            "br_change": figures[str(count)]["br"] - figures["fp32"]["br"],
            "equal": figures[str(count)]["equal"],
        }
        for count in COUNTS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy and time of INT8 models of the bundled weights.")
    parser.add_argument("bsds", type=Path, help="BSDS500/data")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--step", type=int, default=1, help="measure each STEPth image of val alone")
    parser.add_argument("--json", type=Path, required=True, help="file to write the figures to")
    arguments = parser.parse_args()
    model = onnx.load(bundled("ainet.onnx"))
    pool = [sample.image_path for sample in BSDS500(arguments.bsds, "train")]
    images: list[CalibrationImage] = choose_images(pool, DEFAULT_COUNT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = {"fp32": bundled("ainet.onnx"), **{name: folder / f"{name}.onnx" for name in ("min-max", "all int8", "int8")}}
        save_model(Calibration(model, images, "minmax", equalised=False).model(), files["min-max"])
        calibration = Calibration(model, images)
        save_model(calibration.model(), files["all int8"])
        found = keep_boundaries(
            calibration, *judges_of_bsds(arguments.bsds), every_layer=True, progress=lambda what, done, total: console.print(what)
        )
        save_model(calibration.model(found.layers), files["int8"])
        models = {name: (path, "cpu") for name, path in files.items()} | {"int8, OpenVINO": (files["int8"], "openvino")}
        figures = {
            "threads": arguments.threads,
            "calibration_images": DEFAULT_COUNT,
            "images": len(BSDS500(arguments.bsds, "val")[:: arguments.step]),
            "layers": len(calibration.layers),
            "sensitivity": report(found),
            "speed": speed(files, 320, 480, arguments.threads, arguments.repeats),
            "accuracy": accuracy(models, arguments.bsds, "val", arguments.step),
            "curve": curve(model, pool, arguments.bsds, arguments.step, folder),
            "versions": versions(),
            "machine": machine(),
        }
    write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
