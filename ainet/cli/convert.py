"""`ainet convert`: a public checkpoint to the toolkit's own format."""

from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import print_line
from ainet.cli.options import CheckpointArgument, check_suffix, read_checkpoint
from ainet.models import CHECKPOINT


def convert(
    checkpoint: CheckpointArgument, out: Annotated[Path, typer.Option("-o", "--out", help="File to write.", show_default=False)]
) -> None:
    """Convert a public checkpoint to the toolkit's own format (safetensors)."""
    check_suffix("convert to", out, CHECKPOINT)
    loaded = read_checkpoint(checkpoint)
    from ainet.training.checkpoint import save_checkpoint

    save_checkpoint(out, loaded.network, {**loaded.config, "source_sha256": loaded.sha256}, loaded.merging)
    print_line(f"{out}: {loaded.name}, {out.stat().st_size / 1e6:.1f} MB")
