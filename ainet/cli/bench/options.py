"""What the subcommands of `ainet bench` share: options, and how a missing package is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import errors
from ainet.errors import DeviceError

BsdsOption = Annotated[Path, typer.Option(help="Folder with BSDS500's images/ and groundTruth/.", show_default=False)]
MethodOption = Annotated[
    list[str], typer.Option("--method", help="ainet, scn, checkpoint, ssn, seal, ers, slic ...; may be repeated.", show_default=False)
]
ResultOption = Annotated[Path, typer.Option("-o", "--out", help="JSON file to write.", show_default=False)]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of the CPU.")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="Folder with ssn.safetensors and seal.safetensors, or what `ainet train` wrote.", show_default=False)
]
RepeatsOption = Annotated[int, typer.Option(min=1, help="Calls that count.")]


@contextmanager
def needs_packages() -> Iterator[None]:
    """Around imports: a package that is missing becomes an error that says what to install."""
    try:
        yield
    except ImportError as error:
        raise DeviceError(f"benchmarks need the package {error.name}: pip install 'ainet-toolkit[train,bench]'") from error


def tell_skipped(line: str) -> None:
    errors.print(f"skipped: {line}", markup=False)
