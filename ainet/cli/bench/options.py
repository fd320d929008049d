"""What the subcommands of `ainet bench` share: options, how a missing package is told, and how a result is written and shown."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from ainet.cli.console import errors, print_line, print_table
from ainet.cli.options import needs
from ainet.files import check_place

MethodOption = Annotated[
    list[str], typer.Option("--method", help="ainet, scn, checkpoint, ssn, seal, ers, slic ...; may be repeated.", show_default=False)
]


def _place(path: Path) -> Path:
    check_place(path)
    return path


ResultOption = Annotated[Path, typer.Option("-o", "--out", help="JSON file to write.", show_default=False, callback=_place)]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of the CPU.")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="Folder with ssn.safetensors and seal.safetensors, or what `ainet train` wrote.", show_default=False)
]
COUNTS = "96,216,384,600,864,1176,1536,1944"  # of the public protocol
CountsOption = Annotated[
    list[str] | None, typer.Option("--counts", help="Numbers of superpixels, or 'none'; may be repeated.", show_default=COUNTS)
]
RepeatsOption = Annotated[int, typer.Option(min=1, help="Calls that count.")]


def needs_packages() -> AbstractContextManager[None]:
    """Around the imports of a benchmark."""
    return needs("a benchmark", "train,bench")


def joined(values: Sequence[str] | None, default: str) -> str:
    """The values of an option that may be repeated, each a list too, as one list: ["50,100", "216"] -> "50,100,216"."""
    return ",".join(values) if values else default


def tell_skipped(line: str) -> None:
    errors.print(f"skipped: {line}", markup=False)


def finish(out: Path, benchmark: str, result: Mapping[str, Any], *tables: Sequence[Mapping[str, object]]) -> None:
    """Write the result, and show its tables and where it lies."""
    from ainet.benchmarks.result import write_result

    write_result(out, benchmark, result)
    for table in tables:
        print_table(table)
    print_line(str(out))
