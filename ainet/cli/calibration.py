"""`ainet calibrate`: a checkpoint to an INT8 model that keeps the boundaries."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.cli.console import errors, print_line, print_rows
from ainet.cli.options import read_checkpoint
from ainet.errors import DeviceError, ModelError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ainet.calibration.images import CalibrationImage
    from ainet.calibration.sensitivity import Result, Score

DEFAULT_COUNT = 32
JUDGES = 20  # images that the damage is measured on


def calibrate(
    out: Annotated[Path, typer.Option("-o", "--out", help="ONNX file to write.", show_default=False)],
    checkpoint: Annotated[Path | None, typer.Argument(help="Public checkpoint or own .safetensors. Default: the bundled AINet.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of calibration images.", show_default="BSDS500 train")] = None,
    bsds: Annotated[Path | None, typer.Option(help="BSDS500/data: the damage is measured on its train split.")] = None,
    max_asa_drop: Annotated[float, typer.Option(help="Layers are left in float until ASA drops by no more.")] = 0.001,
    count: Annotated[int, typer.Option(help="How many calibration images.")] = DEFAULT_COUNT,
    method: Annotated[str, typer.Option(help="Ranges: percentile, entropy or minmax.")] = "percentile",
    rest: Annotated[str, typer.Option(help="Precision of what is not INT8: fp32, or fp16 for TensorRT.")] = "fp32",
    graph_output: Annotated[str, typer.Option("--output", help="logits, association or labels.")] = "logits",
    report: Annotated[Path | None, typer.Option(help="Measure each layer alone; write a .json, and a plot beside it (.svg).")] = None,
) -> None:
    """Write a checkpoint as an INT8 ONNX file, leaving in float the layers that would move boundaries.

    Without --bsds the regions of a graph segmentation of the images stand for the ground truth.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"cannot calibrate to '{out}': the name must end in .onnx")
    if report is not None and report.suffix != ".json":
        raise UsageError(f"cannot write the report '{report}': the name must end in .json")
    if images is None and bsds is None:
        raise UsageError("no calibration images: name a folder with --images, or BSDS500 with --bsds")
    from ainet.models import bundled

    source = bundled("ainet.safetensors") if checkpoint is None else checkpoint
    if source.suffix == ".onnx":
        raise ModelError(f"{source} is an ONNX model, perhaps quantised already; calibration starts from its checkpoint")
    loaded = read_checkpoint(source)
    try:
        from ainet.calibration.images import choose_images
        from ainet.calibration.plot import bars
        from ainet.calibration.quantise import Calibration, exported, save_model
        from ainet.calibration.sensitivity import keep_boundaries
        from ainet.files import atomic_path, write_json
        from ainet.images import image_files
    except ImportError as error:
        raise DeviceError(f"calibration needs the package {error.name}: pip install 'ainet-toolkit[calibrate]'") from error

    with errors.status("reading images") as status:
        files = image_files(bsds / "images/train" if images is None and bsds is not None else images)  # type: ignore[arg-type]
        chosen = choose_images(files, count, progress=lambda done, total: status.update(f"reading images: {done} of {total}"))
        if bsds is None:
            taken = {image.path for image in chosen}
            others = [path for path in files if path not in taken]
            judges = choose_images(others, JUDGES, seed=1) if len(others) >= JUDGES else chosen[:JUDGES]
            score = _score_by_regions(judges)
        else:
            judges, score = judges_of_bsds(bsds)
        status.update(f"exporting {loaded.name}")
        model = exported(loaded, graph_output)  # type: ignore[arg-type]  # checked there
        calibration = Calibration(
            model,
            chosen,
            method,  # type: ignore[arg-type]  # checked there
            progress=lambda done, total: status.update(f"ranges: {done} of {total}"),
        )
        calibration.model(rest=rest)  # type: ignore[arg-type]  # refuses an unknown precision before the long work
        result = keep_boundaries(
            calibration,
            judges,
            score,
            max_asa_drop,
            report is not None,
            lambda what, done, total: status.update(f"{done} of {total}: {what}"),
        )
        quantised = calibration.model(result.float_layers, rest)  # type: ignore[arg-type]
    if report is not None:
        write_json(report, result.to_dict())
        with atomic_path(report.with_suffix(".svg")) as picture:
            picture.write_text(bars(result))
    save_model(quantised, out)
    if result.alone:
        _print(result)
    kept = f"{len(result.float_layers)} of {len(calibration.layers)} layers in float ({', '.join(result.float_layers) or 'none'})"
    truth = "BSDS500 train" if bsds is not None else "graph segmentations"
    print_line(
        f"{out}: {loaded.name}, int8 with {rest}, {out.stat().st_size / 1e6:.1f} MB; {kept}; "
        f"{result.damage} on {len(judges)} images against {truth}"
    )


def _print(result: "Result") -> None:
    rows = [("layer", "other best cell", "ASA", "BR", "")]
    for name, damage in result.alone.items():
        kept = "float" if name in result.float_layers else ""
        rows.append((name, f"{damage.disagreement:.3%}", f"{-damage.asa_drop:+.5f}", f"{-damage.br_drop:+.5f}", kept))
    print_rows(rows)


def judges_of_bsds(bsds: Path) -> "tuple[list[CalibrationImage], Score]":
    """Images of BSDS500 train, and a score by their ground truths: what calibration cannot know, as it does not import the benchmarks."""
    try:
        from ainet.training.datasets import BSDS500
    except ImportError as error:
        raise DeviceError(f"reading BSDS500 needs the package {error.name}: pip install 'ainet-toolkit[train]'") from error
    from ainet.calibration.images import choose_images

    samples = {sample.image_path: sample for sample in BSDS500(bsds, "train")}
    judges = choose_images(list(samples), JUDGES, seed=1)
    return judges, _score([samples[image.path].segmentations() for image in judges])


def _score_by_regions(judges: "Sequence[CalibrationImage]") -> "Score":
    """A score by regions of the images that no network has made: Felzenszwalb and Huttenlocher's graph segmentation (IJCV 2004)."""
    import cv2
    import numpy as np

    segmenter = cv2.ximgproc.segmentation.createGraphSegmentation(sigma=0.8, k=300, min_size=400)
    return _score([[segmenter.processImage(image.pixels[..., ::-1].copy()).astype(np.int32)] for image in judges])


def _score(truths: "Sequence[Sequence[NDArray[np.integer]]]") -> "Score":
    import numpy as np

    from ainet.metrics.label_map import LabelMap
    from ainet.metrics.measures import achievable_segmentation_accuracy, boundary_recall

    maps = [[LabelMap(truth, "ground_truth") for truth in of_image] for of_image in truths]

    def score(labels: "Sequence[NDArray[np.int32]]") -> tuple[float, float]:
        pairs = [(LabelMap(one), truth) for one, of_image in zip(labels, maps, strict=True) for truth in of_image]
        rows = [(achievable_segmentation_accuracy(one, truth), boundary_recall(one, truth)) for one, truth in pairs]
        asa, br = np.mean(rows, axis=0).tolist()
        return asa, br

    return score
