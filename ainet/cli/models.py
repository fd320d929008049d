"""`ainet export`, `ainet convert` and `ainet info`: what concerns model files."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ainet.cli.console import errors, print_line, print_rows
from ainet.cli.engines import build
from ainet.errors import DeviceError, ModelError, UsageError

if TYPE_CHECKING:
    from ainet.training.checkpoint import Checkpoint

ISLAND_IMAGES = 8

CheckpointArgument = Annotated[Path, typer.Argument(help="Public checkpoint, or own .safetensors.", show_default=False)]


def export(
    checkpoint: Annotated[Path | None, typer.Argument(help="Public checkpoint or own .safetensors. Default: the bundled AINet.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="ONNX file to write, or .engine to build one as well.")] = None,
    precision: Annotated[str, typer.Option(help="fp32 or fp16.")] = "fp32",
    graph_output: Annotated[
        str | None, typer.Option("--output", help="logits, association or labels.", show_default="logits; labels for Triton")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Photos on which to find the layers that an fp16 model has to keep in float32.", show_default="none")
    ] = None,
    triton: Annotated[Path | None, typer.Option(help="Triton model repository to add the model to.")] = None,
) -> None:
    """Write a checkpoint as an ONNX file with dynamic batch, height and width, checked against PyTorch.

    With `-o NAME.engine`, that file is NAME.onnx, and `ainet build` makes the engine from it.
    """
    from ainet.models import bundled
    from ainet.runtime.tensorrt_api import load_flavour

    if out is None and triton is None:
        raise UsageError("nothing to write: name a file with -o, or a Triton model repository with --triton")
    if out is not None and out.suffix not in (".onnx", ".engine"):
        raise UsageError(f"cannot export to '{out}': the name must end in .onnx or .engine")
    if images is not None and precision != "fp16":
        raise UsageError("--images finds what an fp16 model has to keep in float32; add --precision fp16, or leave it out")
    if graph_output is None:
        graph_output = "logits" if triton is None else "labels"
    loaded = read_checkpoint(bundled("ainet.safetensors") if checkpoint is None else checkpoint)
    try:
        from ainet.export.onnx import export_onnx
        from ainet.export.triton import add_onnx, check_flavour
    except ImportError as error:
        raise DeviceError(f"exporting needs the package {error.name}: pip install 'ainet-toolkit[export]'") from error

    engine = out if out is not None and out.suffix == ".engine" else None
    if engine is not None and triton is not None:
        check_flavour(load_flavour().name)
    with tempfile.TemporaryDirectory() as scratch:
        islands = () if images is None else _islands(loaded, images)
        model = Path(scratch, "model.onnx") if out is None else out.with_suffix(".onnx")
        with errors.status(f"exporting {loaded.name}, {precision}"):
            border_map = loaded.merging is not None and engine is None and triton is None
            export_onnx(loaded, model, precision, graph_output, islands, border_map)  # type: ignore[arg-type]  # checked there
        what = f"{loaded.name}, {precision}, output {graph_output}, {model.stat().st_size / 1e6:.1f} MB; checked against PyTorch"
        if out is not None:
            print_line(f"{model}: {what}")
        if triton is not None:
            print_line(f"{add_onnx(triton, model)}: model of a Triton server; {what}")
    if engine is not None:
        build(model, engine, triton=triton)


def _islands(loaded: "Checkpoint", folder: Path) -> tuple[str, ...]:
    """The layers that stay in float32, by the photos of a folder; says what it found."""
    import torch

    from ainet.calibration.images import choose_images, network_input
    from ainet.export.graph import deployable
    from ainet.export.islands import choose_islands
    from ainet.images import image_files
    from ainet.runtime.model import ModelInfo
    from ainet.spec import MEAN

    info = ModelInfo(loaded.name, "logits", "fp16", MEAN, loaded.sha256, loaded.config, "")
    with errors.status("reading images") as status:
        inputs = [torch.from_numpy(network_input(image.pixels, info)) for image in choose_images(image_files(folder), ISLAND_IMAGES)]
        status.update("rounding to half precision")
        found = choose_islands(
            deployable(loaded.network), inputs, lambda what, done, total: status.update(f"fp32 islands: {done} of {total}: {what}")
        )
    what = f"{', '.join(found.layers)} in float32, {found.agreement.argmax:.3%}" if found.layers else "no layer has to stay in float32"
    print_line(f"half precision gives the same cell to {found.reduced.argmax:.3%} of the pixels of {len(inputs)} images; {what}")
    return found.layers


def convert(
    checkpoint: CheckpointArgument, out: Annotated[Path, typer.Option("-o", "--out", help="File to write.", show_default=False)]
) -> None:
    """Convert a public checkpoint to the toolkit's own format (safetensors)."""
    if out.suffix != ".safetensors":
        raise UsageError(f"cannot convert to '{out}': the name must end in .safetensors")
    loaded = read_checkpoint(checkpoint)
    from ainet.training.checkpoint import save_checkpoint

    save_checkpoint(out, loaded.network, {**loaded.config, "source_sha256": loaded.sha256})
    print_line(f"{out}: {loaded.name}, {out.stat().st_size / 1e6:.1f} MB")


def info(model: Annotated[Path, typer.Argument(help="ONNX file, engine or checkpoint.", show_default=False)]) -> None:
    """Say what a model file holds."""
    print_rows([(key, str(value)) for key, value in _describe(model).items()])


def _describe(model: Path) -> dict[str, Any]:
    if model.suffix.lower() == ".engine":
        from ainet.runtime.engine_file import EngineInfo

        return {"file": model, "kind": "TensorRT engine", **asdict(EngineInfo.load(model))}
    if model.suffix.lower() == ".onnx":
        from ainet.runtime.backends import open_backend

        entries = asdict(open_backend(model).info)
        provenance = {f"checkpoint {key}": value for key, value in entries.pop("checkpoint").items()}
        return {"file": model, "kind": "ONNX model", **entries, **provenance}
    loaded = read_checkpoint(model)
    parameters = sum(parameter.numel() for parameter in loaded.network.parameters())
    return {"file": model, "kind": "checkpoint", **loaded.config, "parameters": f"{parameters:,}", "sha256": loaded.sha256}


def read_checkpoint(path: Path) -> "Checkpoint":
    if path.suffix.lower() == ".onnx":
        raise ModelError(f"{path} is an ONNX model already; name a checkpoint")
    try:
        from ainet.training.checkpoint import load_checkpoint
    except ImportError as error:
        raise DeviceError(f"reading checkpoints needs the package {error.name}: pip install 'ainet-toolkit[export]'") from error
    return load_checkpoint(path)
