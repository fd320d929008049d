"""`ainet export`: a checkpoint to an ONNX file or an engine."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.arguments import check_choice
from ainet.cli.build import build
from ainet.cli.console import errors, print_line
from ainet.cli.options import CheckpointOrBundled, check_suffix, needs, read_checkpoint
from ainet.errors import UsageError
from ainet.models import BUNDLED, ENGINE, INT8, ONNX, bundled
from ainet.runtime.model import OUTPUTS, PRECISIONS
from ainet.runtime.tensorrt_api import load_package

if TYPE_CHECKING:
    from ainet.training.checkpoint import Checkpoint

ISLAND_IMAGES = 8


def export(
    checkpoint: CheckpointOrBundled = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="ONNX file to write, or .engine to build one as well.")] = None,
    precision: Annotated[str, typer.Option(help="fp32 or fp16.")] = "fp32",
    graph_output: Annotated[
        str | None, typer.Option("--output", help="logits, association or labels.", show_default="logits; labels for Triton")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Photos on which to find the layers that an fp16 model has to keep in float32.", show_default="none")
    ] = None,
    triton: Annotated[Path | None, typer.Option(help="Triton model repository to add the model to.")] = None,
    hub: Annotated[Path | None, typer.Option(help="New folder in the layout of the Hugging Face Hub: fp32, fp16, card.")] = None,
    int8: Annotated[
        Path | None,
        typer.Option(help="INT8 model of the same checkpoint, to go into --hub; for bundled weights in logits their own goes there."),
    ] = None,
) -> None:
    """Write a checkpoint as an ONNX file with dynamic batch, height and width, checked against PyTorch.

    With `-o NAME.engine`, that file is NAME.onnx, and `ainet build` makes the engine from it.
    """
    from ainet.folders import image_files

    if graph_output is None:
        graph_output = "logits" if triton is None else "labels"
    check_choice("output", graph_output, OUTPUTS)
    check_choice("precision", precision, PRECISIONS)
    if hub is not None:
        if out is not None or triton is not None or images is not None or precision != "fp32":
            raise UsageError("--hub writes float32 and half precision by itself; leave -o, --triton, --images and --precision out")
        _export_hub(checkpoint, hub, graph_output, int8)
        return
    if int8 is not None:
        raise UsageError("--int8 names a model that goes into a folder for the Hugging Face Hub; add --hub FOLDER, or leave it out")
    if out is None and triton is None:
        raise UsageError("nothing to write: name a file with -o, a Triton model repository with --triton, or a folder with --hub")
    if out is not None:
        check_suffix("export to", out, ONNX, ENGINE)
    if images is not None and precision != "fp16":
        raise UsageError("--images finds what an fp16 model has to keep in float32; add --precision fp16, or leave it out")
    photos = [] if images is None else image_files(images, print_line)
    loaded = read_checkpoint(checkpoint)
    with needs("exporting", "export"):
        from ainet.export.onnx import export_onnx
        from ainet.export.triton import add_onnx, check_package

    engine = out if out is not None and out.suffix == ENGINE else None
    if engine is not None and triton is not None:
        check_package(load_package().name)
    with tempfile.TemporaryDirectory() as scratch:
        islands = () if images is None else _islands(loaded, photos)
        model = Path(scratch, "model.onnx") if out is None else out.with_suffix(ONNX)
        with errors.status(f"exporting {loaded.name}, {precision}"):
            border_map = loaded.has_border_map and engine is None and triton is None
            export_onnx(loaded, model, precision, graph_output, islands, border_map)  # type: ignore[arg-type]  # checked there
        what = f"{loaded.name}, {precision}, output {graph_output}, {model.stat().st_size / 1e6:.1f} MB; checked against PyTorch"
        if out is not None:
            print_line(f"{model}: {what}")
        if triton is not None:
            print_line(f"{add_onnx(triton, model)}: model of a Triton server; {what}")
    if engine is not None:
        build(model, engine, triton=triton)


def _export_hub(checkpoint: Path | None, folder: Path, output: str, int8: Path | None) -> None:
    loaded = read_checkpoint(checkpoint)
    ours = checkpoint is None or str(checkpoint) in BUNDLED
    if ours and int8 is None and output == "logits":
        int8 = bundled(loaded.name + INT8)
    with needs("exporting", "export"):
        from ainet.export.hub import write_hub
    with errors.status(f"exporting {loaded.name}, fp32 and fp16"):
        files = write_hub(loaded, folder, output, int8, bundled=ours)  # type: ignore[arg-type]  # checked there
    for file in files:
        print_line(f"{file}: {loaded.name}, output {output}, {file.stat().st_size / 1e6:.1f} MB")
    if int8 is None:
        name = "" if checkpoint is None else f"{checkpoint} "
        why = f"the bundled one gives logits, not {output}" if ours else "none is named"
        make = f"ainet calibrate {name}--images PHOTOS --output {output} -o model-int8.onnx"
        print_line(f"no INT8 model is in it, as {why}; make one with {make}, and name it with --int8")


def _islands(loaded: "Checkpoint", files: list[Path]) -> tuple[str, ...]:
    """The layers that stay in float32, by these photos; says what it found."""
    import torch

    from ainet.calibration.images import choose_images, network_input
    from ainet.export.islands import choose_islands
    from ainet.training.networks.folding import deployable

    info = loaded.info("logits", "fp16")
    with errors.status("reading images") as status:
        photos = choose_images(files, ISLAND_IMAGES)
        inputs = [torch.from_numpy(network_input(photo.pixels, info)) for photo in photos]
        status.update("rounding to half precision")
        found = choose_islands(
            deployable(loaded.network), inputs, lambda what, done, total: status.update(f"fp32 islands: {done} of {total}: {what}")
        )
    what = f"{', '.join(found.layers)} in float32, {found.agreement.argmax:.3%}" if found.layers else "no layer has to stay in float32"
    print_line(f"half precision gives the same cell to {found.reduced.argmax:.3%} of the pixels of {len(inputs)} images; {what}")
    return found.layers
