"""What every subcommand prints with."""

from rich.console import Console
from rich.markup import escape

from ainet.errors import AINetError

errors = Console(stderr=True, soft_wrap=True, highlight=False)
output = Console(highlight=False)


def print_error(error: AINetError) -> None:
    """One whole line on stderr, so that it can be searched for."""
    message = " ".join(str(error).split())
    errors.print(f"[bold red]error:[/] {escape(message)}")
