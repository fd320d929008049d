"""What every subcommand prints with."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from ainet.errors import AINetError

if TYPE_CHECKING:
    from rich.progress import Progress

BROKEN_PIPE = 141  # what shells report of a program that SIGPIPE has ended


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """End quietly where nobody reads on, as in `ainet segment ... | head -1`."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.file.fileno())  # or the interpreter would complain when it flushes
        raise SystemExit(BROKEN_PIPE)


errors = _Console(stderr=True, soft_wrap=True, highlight=False)
output = _Console(highlight=False)


def print_line(line: str) -> None:
    """One whole line on stdout, as it is; on a terminal beside the progress bar, which makes way for its own console alone."""
    console = errors if output.is_terminal and errors.is_terminal else output
    console.print(line, soft_wrap=True, markup=False)


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Columns on stdout; nothing is cut or wrapped, whatever the width of the terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """The same with a column for every key; floats with four digits that matter."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print_rows([columns, *([_cell(row.get(column)) for column in columns] for row in rows)])


def _cell(value: object) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else "-"


def print_error(error: AINetError) -> None:
    """One whole line on stderr, so that it can be searched for."""
    message = " ".join(str(error).split())
    errors.print(f"[bold red]error:[/] {escape(message)}")


def progress_bar() -> "Progress":
    """A bar with a count and the time left on stderr, on a terminal alone; it goes when the work is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
