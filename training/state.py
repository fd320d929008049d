"""The training state on disk: `state.pt`, all that a run needs to go on, bit for bit. One run at a time may use a folder."""

import io
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from ainet.errors import ModelError, UsageError
from ainet.files import atomic_path, check_place, is_file, lock
from ainet.training.recipe import recipe_from_dict

STATE = "state.pt"
NAMES = {"initial": "the SHA-256 of --weights"}  # of entries that do not say what they are


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state, whole or not at all.

    Raises:
        OutputError: the file cannot be written; the one before stays.
    """
    buffer = io.BytesIO()  # torch reports a full disk as a RuntimeError of its own; writing bytes gives the OSError
    torch.save(dict(state), buffer)
    with atomic_path(folder / STATE) as temporary:
        temporary.write_bytes(buffer.getbuffer())
        with temporary.open() as file:
            os.fsync(file.fileno())  # else a power cut may leave the new name without the content


def read_state(folder: Path, made_with: Mapping[str, Any], device: torch.device) -> dict[str, Any] | None:
    """The state in `folder`, or None where there is none.

    `made_with` says what this run is made with; its entries, and those of its `recipe`, must be the state's.

    Raises:
        ModelError: the state is damaged, of another version, or was made otherwise.
    """
    path = folder / STATE
    if not is_file(path):
        return None
    wanted = {**made_with, **made_with["recipe"]}
    with whole_state(folder):
        state: dict[str, Any] = {"within": None, **torch.load(path, map_location=device, weights_only=True)}  # older states have no time
        found = {key: state[key] for key in made_with} | recipe_from_dict(state["recipe"]).to_dict()
        different = [key for key in wanted if key != "recipe" and found[key] != wanted[key]]
    if different:
        shown = ", ".join(f"{NAMES.get(key, key)} is {found[key]!r} there and {wanted[key]!r} here" for key in different)
        raise ModelError(f"{path} was made otherwise: {shown}; go on as it was made, or use another output folder")
    return state


@contextmanager
def whole_state(folder: Path) -> Iterator[None]:
    """Raise `ModelError` in place of whatever a damaged state in `folder` makes torch, or what takes it up, raise."""
    try:
        yield
    except Exception as error:
        of_torch = isinstance(error, RuntimeError | pickle.UnpicklingError)  # pages of advice, some of it to read without care
        reason = "" if of_torch else " ".join(str(error).split())[:200]
        kind = ": ".join(filter(None, (type(error).__name__, reason)))
        raise ModelError(
            f"cannot resume from {folder / STATE}: it is damaged, of another version or no training state ({kind}); "
            "move it away to start afresh"
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one run; the lock ends with the process, however it ends. A folder that stays empty is removed.

    Raises:
        UsageError: another process holds it.
        OutputError: the folder cannot be written.
    """
    check_place(folder / STATE)
    with ExitStack() as held:
        try:
            held.enter_context(lock(folder, wait=False))
        except BlockingIOError as error:
            raise UsageError(f"another run is training in {folder}; stop it, or use another output folder") from error
        try:
            yield
        finally:
            with suppress(OSError):  # raised where it is not empty
                folder.rmdir()
