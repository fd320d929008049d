"""`ainet build`: ONNX files to TensorRT engines."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import errors, output
from ainet.errors import DeviceError, UsageError


def build(
    model: Annotated[Path, typer.Argument(help="ONNX file made by `ainet export`.", show_default=False)],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Engine to write. Default: MODEL with the suffix .engine.")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="Input size HxW or NxHxW, or a range such as 160x160..1088x1920; repeat for more."),
    ] = None,
    flavour: Annotated[str | None, typer.Option(help="tensorrt or tensorrt-rtx. Default: the one that is installed.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="GPU to build for ahead of time, such as sm86 (TensorRT-RTX); repeat for more.")
    ] = None,
) -> None:
    """Build an ONNX file into a TensorRT engine, with a JSON sidecar that says what it is and where it runs."""
    path = model.with_suffix(".engine") if out is None else out
    if path.suffix != ".engine":
        raise UsageError(f"cannot build '{path}': the name must end in .engine")
    try:
        from ainet.export.engine import build_engine
        from ainet.export.profiles import DEFAULT_SIZES
    except ImportError as error:
        raise DeviceError(f"building needs the package {error.name}: pip install 'ainet-toolkit[tensorrt-rtx]', or [tensorrt]") from error

    with errors.status(f"building {path}"):
        info = build_engine(model, path, size or DEFAULT_SIZES, flavour, target or ())
    gpus = ", ".join(info.compute_capabilities) or "sm80 and later"
    sizes = ", ".join(map(str, info.profiles))
    layers = ", ".join(f"{count} {name}" for name, count in info.layer_precisions.items())
    output.print(
        f"{path}: {info.model.network}, {info.model.precision}, output {info.model.output}, {path.stat().st_size / 1e6:.1f} MB; "
        f"{info.flavour} {info.version} for {gpus}; sizes {sizes}; layers {layers or 'not inspected, as no GPU here can load it'}",
        soft_wrap=True,
        markup=False,
    )
