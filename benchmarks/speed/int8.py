"""What the bundled INT8 model costs and gains: accuracy on BSDS500 val, time per engine, and each layer's part in it.

    result = int8(Path("BSDS500/data"), threads=2, repeats=25)

Both models run on OpenVINO, as `Segmenter.load` runs them. Figures are means over all (image, ground truth) pairs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino

from ainet.benchmarks.speed.cases import COUNTS
from ainet.benchmarks.speed.clock import Candidate, alternate
from ainet.benchmarks.speed.latency import PAUSE
from ainet.calibration import DEFAULT_COUNT
from ainet.calibration.images import choose_images
from ainet.calibration.quantise import Calibration, exported
from ainet.calibration.score import scored_images_of_bsds
from ainet.calibration.sensitivity import keep_boundaries, report
from ainet.export.agreement import METRICS, compare, metrics
from ainet.export.whole import load_whole
from ainet.metrics import LabelMap
from ainet.models import INT8, ONNX, bundled
from ainet.segmenter import Segmenter
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import Sample, bsds500

PLAIN = (600,)  # of the plain grid, where counts differ in size alone
SIZE = (320, 480)  # working pixels
FILES = {"fp32": ONNX, "int8": INT8}

Scores = list[list[tuple[float, ...]]]  # METRICS by image, then by ground truth


def int8(
    bsds: Path,
    threads: int,
    repeats: int,
    step: int = 1,
    counts: Sequence[int] = COUNTS,
    network: str = "ainet",
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Everything that the INT8 page says. `step`: of val, each STEPth image alone is taken. `counts`: exact ones, the default of `ainet`.

    Raises:
        UsageError: BSDS500 is not there.
        DeviceError: OpenVINO cannot run INT8 here.
        ModelError: see `keep_boundaries`.
    """
    samples = bsds500(bsds, "val")[::step]
    files = {name: bundled(network + suffix) for name, suffix in FILES.items()}
    progress("speed")
    times = alternate(_candidates(files, threads), repeats, pause=PAUSE)
    reference = times["ONNX Runtime fp32"]
    with Segmenter.load(files["fp32"], "openvino") as whole, Segmenter.load(files["int8"], "openvino") as reduced:
        rows = _accuracy(whole, reduced, samples, "fast", PLAIN, progress) + _accuracy(whole, reduced, samples, "best", counts, progress)
        images = ((sample.image_path, sample.image()) for sample in samples)
        (agreement,) = compare(whole.backend, [reduced.backend], images, 600)
    return {
        "network": network,
        "threads": threads,
        "calibration_images": DEFAULT_COUNT,
        "images": len(samples),
        "speed": {name: {**own.in_ms(), "ratio": reference.ratio_to(own)} for name, own in times.items()},
        "equal": agreement.argmax,
        "accuracy": rows,
        **_sensitivity(network, bsds, progress),
    }


def _accuracy(
    whole: Segmenter, reduced: Segmenter, samples: Sequence[Sample], quality: str, counts: Sequence[int], progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """For each count the means of the float model, how far those of the INT8 model are from them, and the image that loses most."""
    scores: dict[tuple[Segmenter, int], Scores] = {}
    for number, sample in enumerate(samples):
        progress(f"accuracy, {quality}: image {number + 1} of {len(samples)}")
        image = sample.image()
        truths = [LabelMap(truth) for truth in sample.segmentations()]
        for segmenter in (whole, reduced):
            for count in counts:
                labels = LabelMap(segmenter(image, count, quality=quality))
                scores.setdefault((segmenter, count), []).append([metrics(labels, truth) for truth in truths])
    return [{"quality": quality, "n_segments": count, **_change(scores[whole, count], scores[reduced, count], samples)} for count in counts]


def _change(before: Scores, after: Scores, samples: Sequence[Sample]) -> dict[str, Any]:
    means = [np.mean([row for image in scores for row in image], axis=0) for scores in (before, after)]
    by_image = np.array([np.mean(own, axis=0) - np.mean(other, axis=0) for own, other in zip(after, before, strict=True)])
    worst = {}
    for name in ("asa", "br"):
        changes = by_image[:, METRICS.index(name)]
        worst[name] = {"image": samples[int(changes.argmin())].image_id, "change": float(changes.min())}
    return {
        "fp32": dict(zip(METRICS, means[0].tolist(), strict=True)),
        "change": dict(zip(METRICS, (means[1] - means[0]).tolist(), strict=True)),
        "worst": worst,
    }


def _sensitivity(network: str, bsds: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Each layer alone in INT8, on images of train."""
    progress("calibrating")
    images = choose_images([sample.image_path for sample in bsds500(bsds, "train")], DEFAULT_COUNT)
    calibration = Calibration(exported(load_checkpoint(bundled(f"{network}.safetensors"))), images)
    found = keep_boundaries(calibration, *scored_images_of_bsds(bsds), every_layer=True, progress=lambda what, done, total: progress(what))
    return {"layers": len(calibration.layers), "multiply_adds": calibration.cost, "sensitivity": report(found)}


def _candidates(files: dict[str, Path], threads: int) -> dict[str, Candidate]:
    """The network alone, at a static size, without a border map, on both engines."""
    image = np.random.default_rng(0).standard_normal((1, 3, *SIZE), np.float32) * np.float32(0.3)
    candidates: dict[str, Candidate] = {}
    for name, path in files.items():
        content = _static(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        candidates[f"ONNX Runtime {name}"] = partial(session.run, None, {"image": image})
        for rest in ("f32", "bf16"):
            settings = {"INFERENCE_PRECISION_HINT": rest, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
            request = openvino.compile_model(openvino.Core().read_model(content), "CPU", settings).create_infer_request()
            label = rest if name == "fp32" else f"{name}, rest {rest}"
            candidates[f"OpenVINO {label}"] = partial(request.infer, [image])
    return candidates


def _static(path: Path) -> bytes:
    """The model with an input of one image of `SIZE`, and the first output alone."""
    model = load_whole(path)
    del model.graph.output[1:]
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, *SIZE), strict=True):
        dimension.dim_value = size
    content: bytes = onnx.utils.Extractor(model).extract_model(["image"], [model.graph.output[0].name]).SerializeToString()
    return content
