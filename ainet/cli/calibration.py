"""`ainet calibrate`: a checkpoint to an INT8 model that keeps the boundaries."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.arguments import check_choice
from ainet.calibration import DEFAULT_COUNT
from ainet.cli.console import errors, print_line, print_rows
from ainet.cli.options import CheckpointOrBundled, check_suffix, needs, read_checkpoint
from ainet.errors import UsageError
from ainet.files import atomic_path, write_json
from ainet.models import ONNX
from ainet.runtime.model import OUTPUTS

if TYPE_CHECKING:
    from ainet.export.search import Found


def calibrate(
    out: Annotated[Path, typer.Option("-o", "--out", help="ONNX file to write.", show_default=False)],
    checkpoint: CheckpointOrBundled = None,
    images: Annotated[Path | None, typer.Option(help="Folder of calibration images.", show_default="BSDS500 train")] = None,
    bsds: Annotated[Path | None, typer.Option(help="BSDS500/data: the damage is judged on its train split.")] = None,
    max_asa_drop: Annotated[float, typer.Option(help="Layers are left in float until ASA drops by no more.")] = 0.0005,
    count: Annotated[int, typer.Option(help="How many calibration images.")] = DEFAULT_COUNT,
    method: Annotated[str, typer.Option(help="Ranges: percentile, entropy or minmax.")] = "percentile",
    rest: Annotated[str, typer.Option(help="Precision of what is not INT8: fp32, or fp16 for TensorRT.")] = "fp32",
    graph_output: Annotated[str, typer.Option("--output", help="logits, association or labels.")] = "logits",
    report: Annotated[Path | None, typer.Option(help="Also judge each layer alone; write a .json, and a plot beside it (.svg).")] = None,
) -> None:
    """Write a checkpoint as an INT8 ONNX file, leaving in float the layers that would move boundaries.

    Without --bsds the regions of a graph segmentation of the images stand for the ground truth.
    """
    check_suffix("calibrate to", out, ONNX)
    if report is not None:
        check_suffix("write the report", report, ".json")
    if images is None and bsds is None:
        raise UsageError("no calibration images: name a folder with --images, or BSDS500 with --bsds")
    from ainet.folders import image_files

    check_choice("output", graph_output, OUTPUTS)
    folder = bsds / "images/train" if images is None else images  # type: ignore[operator]  # one of them is there
    files = image_files(folder, print_line)
    loaded = read_checkpoint(checkpoint)
    with needs("calibration", "calibrate"):
        from ainet.calibration.images import choose_images
        from ainet.calibration.plot import save_bars
        from ainet.calibration.quantise import Calibration, exported, save_model
        from ainet.calibration.score import scored_images_of_bsds, scored_images_of_folder
        from ainet.calibration.sensitivity import keep_boundaries
        from ainet.calibration.sensitivity import report as report_of

    with errors.status("reading images") as status:
        chosen = choose_images(files, count, progress=lambda done, total: status.update(f"reading images: {done} of {total}"))
        with needs("reading BSDS500", "train"):
            scored, score = scored_images_of_folder(files, chosen) if bsds is None else scored_images_of_bsds(bsds)
        status.update(f"exporting {loaded.name}")
        model = exported(loaded, graph_output)  # type: ignore[arg-type]  # checked there
        calibration = Calibration(
            model,
            chosen,
            method,  # type: ignore[arg-type]  # checked there
            progress=lambda done, total: status.update(f"ranges: {done} of {total}"),
        )
        calibration.model(rest=rest)  # type: ignore[arg-type]  # refuses an unknown precision before the long work
        found = keep_boundaries(
            calibration,
            scored,
            score,
            max_asa_drop,
            report is not None,
            lambda what, done, total: status.update(f"{done} of {total}: {what}"),
        )
        quantised = calibration.model(found.layers, rest)  # type: ignore[arg-type]
    if report is not None:
        write_json(report, report_of(found))
        with atomic_path(report.with_suffix(".svg")) as picture:
            save_bars(found, picture)
    save_model(quantised, out)
    if found.alone:
        _print(found)
    kept = f"{len(found.layers)} of {len(calibration.layers)} layers in float ({', '.join(found.layers) or 'none'})"
    truth = "BSDS500 train" if bsds is not None else "graph segmentations"
    print_line(
        f"{out}: {loaded.name}, int8 with {rest}, {out.stat().st_size / 1e6:.1f} MB; {kept}; "
        f"{found.agreement} on {len(scored)} images against {truth}"
    )


def _print(found: "Found") -> None:
    rows = [("layer", "other best cell", "ASA", "BR", "")]
    for name, alone in found.alone.items():
        kept = "float" if name in found.layers else ""
        rows.append((name, f"{1 - alone.argmax:.3%}", f"{alone.differences['asa']:+.5f}", f"{alone.differences['br']:+.5f}", kept))
    print_rows(rows)
