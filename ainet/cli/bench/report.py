"""`ainet bench report`."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.bench.options import needs_packages
from ainet.cli.console import print_line


def report(
    runs: Annotated[list[Path], typer.Argument(help="Results: JSON files, or folders of runs.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML file to write.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set, for pictures; needs the folders of accuracy runs.", show_default=False)
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Also write the plots as SVG and PNG into this folder.", show_default=False)] = None,
) -> None:
    """All results on one page that needs nothing else: plots, tables, pictures, and the figures behind them."""
    with needs_packages():
        from ainet.benchmarks.report import write_report

    for path in write_report(runs, out, data, plots):
        print_line(str(path))
