"""What several subcommands share: options, checks of names, checkpoints, and how a missing package is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.errors import ModelError, UsageError, import_failed
from ainet.files import is_file
from ainet.models import BUNDLED, CHECKPOINTS, DEFAULT, DEVICES, ONNX, check_onnx_suffix, checkpoint_path, unknown_name
from ainet.wrong_content import read_head, wrong_content

if TYPE_CHECKING:
    from ainet.training.checkpoint import Checkpoint

BSDS_HELP = "Folder with BSDS500's images/ and groundTruth/."
BsdsOption = Annotated[Path, typer.Option(help=BSDS_HELP, show_default=False)]
BsdsOrNone = Annotated[Path | None, typer.Option(help=BSDS_HELP, show_default=False)]
CHECKPOINT_HELP = f"Public checkpoint or own .safetensors; or {', '.join(BUNDLED)}, the bundled ones."
CheckpointArgument = Annotated[Path, typer.Argument(help=CHECKPOINT_HELP, show_default=False)]
CheckpointOrBundled = Annotated[Path | None, typer.Argument(help=CHECKPOINT_HELP, show_default=DEFAULT)]
DeviceOption = Annotated[str, typer.Option(help=f"{DEVICES}.")]
TrainingDeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@contextmanager
def needs(what: str, extra: str) -> Iterator[None]:
    """Around imports: a package that is missing becomes an error that says what to install."""
    try:
        yield
    except ImportError as error:
        raise import_failed(what, error, f"pip install 'ainet-toolkit[{extra}]'") from error


def check_suffix(verb: str, path: Path, *suffixes: str) -> None:
    """Raise `UsageError` unless the file to be written has one of these suffixes."""
    if path.suffix not in suffixes:
        raise UsageError(f"cannot {verb} '{path}': the name must end in {' or '.join(suffixes)}")


def read_checkpoint(path: Path | None) -> "Checkpoint":
    """Load a checkpoint, or bundled weights by name, by default `DEFAULT`."""
    path = checkpoint_path(path)
    if path.suffix.lower() == ONNX:
        raise ModelError(f"{path} is an ONNX model already; name a checkpoint")
    if error := unknown_name(path, "checkpoint"):  # before packages are asked for
        raise error
    with needs("reading checkpoints", "export"):
        from ainet.training.checkpoint import load_checkpoint
    if not is_file(path):
        return load_checkpoint(path)  # which says what is wrong
    check_onnx_suffix(path)
    try:
        return load_checkpoint(path)
    except ModelError as error:
        if path.suffix.lower() in CHECKPOINTS or wrong_content(read_head(path)) is not None:
            raise
        raise ModelError(f"{path} is no model: name a model file, or one of {', '.join(BUNDLED)}") from error
