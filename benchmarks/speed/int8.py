"""What INT8 costs and gains: accuracy on BSDS500 val, time per engine, and how many calibration images are enough.

    result = int8(Path("BSDS500/data"), threads=2, repeats=25)

Calibrates the bundled weights on BSDS500 train, with plain min-max ranges and as `ainet calibrate` does. Figures are means over all
(image, ground truth) pairs at about 600 superpixels.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino

from ainet.benchmarks.speed.clock import Candidate, alternate
from ainet.calibration import DEFAULT_COUNT
from ainet.calibration.images import SEGMENTS, choose_images
from ainet.calibration.quantise import Calibration, exported, save_model
from ainet.calibration.score import judges_of_bsds
from ainet.calibration.sensitivity import keep_boundaries, report
from ainet.export.agreement import compare, mean_metrics
from ainet.export.whole import load_whole
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import bsds500

COUNTS = (4, 8, 16, 32, 64, 128)
SIZE = (320, 480)  # working pixels
OPENVINO = tuple((model, rest) for model in ("fp32", "int8", "all int8") for rest in ("f32", "bf16"))  # model, precision of the rest

Models = dict[str, tuple[Path, str]]  # file and device, by name; the first is the reference


def int8(bsds: Path, threads: int, repeats: int, step: int = 1, progress: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Everything that the INT8 page says. `step`: of val, each STEPth image alone is taken.

    Raises:
        UsageError: BSDS500 is not there.
        ModelError: see `keep_boundaries`.
    """
    model = exported(load_checkpoint(bundled("ainet.safetensors")), "logits")
    pool = [sample.image_path for sample in bsds500(bsds, "train")]
    samples = bsds500(bsds, "val")[::step]
    images = choose_images(pool, DEFAULT_COUNT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = {"fp32": bundled("ainet.onnx")}
        for name in ("min-max", "all int8", "int8"):
            files[name] = folder / f"{name}.onnx"
        save_model(Calibration(model, images, "minmax", equalised=False).model(), files["min-max"])
        calibration = Calibration(model, images)
        save_model(calibration.model(), files["all int8"])
        judges, score = judges_of_bsds(bsds)
        found = keep_boundaries(calibration, judges, score, every_layer=True, progress=lambda what, done, total: progress(what))
        save_model(calibration.model(found.layers), files["int8"])
        progress("speed")
        times = alternate(_candidates(files, threads), repeats)
        models = {name: (path, "cpu") for name, path in files.items()}
        models["int8, OpenVINO"] = files["int8"], "openvino"
        progress("accuracy")
        figures = accuracy(models, samples)
        calibrated = {"fp32": models["fp32"]}
        for count in COUNTS:
            progress(f"calibrating on {count} images")
            path = folder / f"{count}.onnx"
            save_model(Calibration(model, choose_images(pool, count)).model(), path)
            calibrated[str(count)] = path, "cpu"
        by_count = accuracy(calibrated, samples)
    reference = times["ONNX Runtime fp32"]
    return {
        "threads": threads,
        "calibration_images": DEFAULT_COUNT,
        "images": len(samples),
        "layers": len(calibration.layers),
        "sensitivity": report(found),
        "speed": {name: {**own.in_ms(), "ratio": reference.ratio_to(own)} for name, own in times.items()},
        "accuracy": figures,
        "curve": [_change(count, by_count) for count in COUNTS],
    }


def accuracy(models: Models, samples: Any) -> dict[str, dict[str, float]]:
    """ASA, BR, BP, CO and the share of equal best cells of every model."""
    backends = [open_backend(path, device) for path, device in models.values()]
    images = ((sample.image_path, sample.image()) for sample in samples)
    agreements = compare(backends[0], backends, images, SEGMENTS)
    metrics = mean_metrics(backends, samples, SEGMENTS)
    figures = {}
    for name, means, agreement in zip(models, metrics, agreements, strict=True):
        figures[name] = {**means, "equal": agreement.argmax}
    return figures


def _change(count: int, figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """What all layers in INT8 change, calibrated on `count` images."""
    own, reference = figures[str(count)], figures["fp32"]
    return {
        "images": count,
        "asa_change": own["asa"] - reference["asa"],
        "br_change": own["br"] - reference["br"],
        "equal": own["equal"],
    }


def _candidates(files: dict[str, Path], threads: int) -> dict[str, Candidate]:
    """The network alone, at a static size, on both engines."""
    image = np.random.default_rng(0).standard_normal((1, 3, *SIZE), np.float32) * np.float32(0.3)
    candidates: dict[str, Candidate] = {}
    for name in ("fp32", "int8"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(_static(files[name]), options, providers=["CPUExecutionProvider"])
        candidates[f"ONNX Runtime {name}"] = partial(session.run, None, {"image": image})
    for name, rest in OPENVINO:
        network = openvino.Core().read_model(_static(files[name]))
        settings = {"INFERENCE_PRECISION_HINT": rest, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        request = openvino.compile_model(network, "CPU", settings).create_infer_request()
        label = rest if name == "fp32" else f"{name}, rest {rest}"
        candidates[f"OpenVINO {label}"] = partial(request.infer, [image])
    return candidates


def _static(path: Path) -> bytes:
    """The model with an input of one image of `SIZE`."""
    model = load_whole(path)
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, *SIZE), strict=True):
        dimension.dim_value = size
    return model.SerializeToString()
