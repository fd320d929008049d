"""`ainet build`: ONNX files to TensorRT engines."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import errors, print_line
from ainet.cli.options import check_suffix, needs
from ainet.export.profiles import DEFAULT_SIZES, parse_profiles
from ainet.models import BUNDLED, ENGINE, Device, model_path, unknown_name
from ainet.runtime.tensorrt_api import load_package


def build(
    model: Annotated[
        Path, typer.Argument(help=f"ONNX file made by `ainet export`; or {', '.join(BUNDLED)}, the bundled ones.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Engine to write. Default: MODEL with the suffix .engine.")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="Input size HxW or NxHxW, or a range such as 160x160..1088x1920; repeat for more."),
    ] = None,
    package: Annotated[str | None, typer.Option(help="tensorrt or tensorrt-rtx. Default: the one that is installed.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="GPU to build for ahead of time, such as sm86 (TensorRT-RTX); repeat for more.")
    ] = None,
    triton: Annotated[Path | None, typer.Option(help="Also add the engine to this Triton model repository.")] = None,
) -> None:
    """Build an ONNX file into a TensorRT engine, with a JSON sidecar that says what it is and where it runs."""
    path = model.with_suffix(ENGINE) if out is None else out
    check_suffix("build", path, ENGINE)
    model = model_path(model, Device("auto"))
    if error := unknown_name(model, "model"):
        raise error
    if size is not None:
        parse_profiles(size)  # says what is wrong with them before packages are asked for
    with needs("building", "tensorrt-rtx"):
        from ainet.export.engine import build_engine
        from ainet.export.triton import ENGINE_SIZES, add_engine, check_package

    if triton is not None:
        check_package(load_package(package).name)
    with errors.status(f"building {path}"):
        info = build_engine(model, path, size or (DEFAULT_SIZES if triton is None else ENGINE_SIZES), package, target or ())
    gpus = ", ".join(info.compute_capabilities) or "sm80 and later"
    sizes = ", ".join(map(str, info.profiles))
    layers = ", ".join(f"{count} {name}" for name, count in info.layer_precisions.items())
    layers = layers or "not checked, as there is no GPU here that the engine is for, or TensorRT does not name their types"
    print_line(
        f"{path}: {info.model.network}, {info.model.precision}, output {info.model.output}, {path.stat().st_size / 1e6:.1f} MB; "
        f"{info.package} {info.version} for {gpus}; sizes {sizes}; layers {layers}"
    )
    if triton is not None:
        print_line(f"{add_engine(triton, model, path)}: model of a Triton server")
