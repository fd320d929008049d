"""Files and folders that are either whole or not there: write under a temporary name, then rename. And JSON."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ainet.errors import OutputError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to `path` when the block ends and removed when it raises.

    The temporary name keeps the suffix, so that writers which look at it still work. Missing parent folders are made.

    Raises:
        OutputError: the file cannot be written, or `path` is a folder or device.
    """
    target, temporary = _names(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            raise OutputError(f"cannot write {target}: it is a folder or device; name a file")
        temporary.touch(exist_ok=False)  # says now, before the work, whether it can be written
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise _refused(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The same for a new folder.

    Raises:
        OutputError: the folder cannot be made, or `path` is there already.
    """
    target, temporary = _names(path)
    try:
        if target.exists():
            raise OutputError(f"cannot write {target}: it is there already; remove it, or choose another place")
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(target)
    except OSError as error:
        raise _refused(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write `values` as an indented JSON file; errors as of `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


def parse_json(text: str) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _names(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    target = Path(path)
    return target, target.parent / f".{secrets.token_hex(8)}{target.suffix}"


def _refused(target: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {target}: {error.strerror or error}; choose another place or free it")
