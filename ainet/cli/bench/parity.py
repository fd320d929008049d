"""`ainet bench parity`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ainet.cli.bench.options import ResultOption, needs_packages
from ainet.cli.console import errors
from ainet.cli.options import BsdsOption
from ainet.cli.verify import verify
from ainet.models import INT8, bundled, bundled_checkpoint


def parity(
    bsds: BsdsOption,
    out: ResultOption,
    device: Annotated[list[str] | None, typer.Option(help="As of `ainet verify`; repeat for more. Default: all that work.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Images of BSDS500 val.")] = 25,
) -> None:
    """Export the bundled AINet in fp32 and fp16, and compare both, and the bundled INT8 model, with PyTorch as `ainet verify` does."""
    with needs_packages():
        from ainet.export.onnx import export_onnx
        from ainet.training.checkpoint import load_checkpoint

    with TemporaryDirectory() as folder:
        models = [Path(folder, "ainet.onnx"), Path(folder, "ainet-fp16.onnx")]
        with errors.status("exporting"):
            checkpoint = load_checkpoint(bundled_checkpoint("ainet"))
            export_onnx(checkpoint, models[0], "fp32")
            export_onnx(checkpoint, models[1], "fp16")
        verify([*models, bundled("ainet" + INT8)], bsds / "images/val", bsds=bsds, device=device, limit=limit, json=out)
