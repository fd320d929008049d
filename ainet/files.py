"""Files and folders that are either whole or not there: write under a temporary name, then rename."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
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
def atomic_folder(path: str | os.PathLike[str], replaceable: Callable[[Path], bool] = lambda folder: False) -> Iterator[Path]:
    """The same for a folder; one that is there already gives way if it is `replaceable`.

    Raises:
        OutputError: the folder cannot be made, or something is at `path` that is not to be replaced.
    """
    target, temporary = _names(path)
    try:
        _check_free(target, replaceable)
        temporary.mkdir(parents=True)
        yield temporary
        _check_free(target, replaceable)
        if target.exists():
            earlier = _names(path)[1]
            target.rename(earlier)
            temporary.rename(target)
            shutil.rmtree(earlier, ignore_errors=True)
        else:
            temporary.rename(target)
    except OSError as error:
        raise _refused(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write `values` as an indented JSON file; errors as of `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


def _check_free(folder: Path, replaceable: Callable[[Path], bool]) -> None:
    if folder.exists() and not (folder.is_dir() and replaceable(folder)):
        raise OutputError(f"cannot write {folder}: it is there already; remove it, or choose another place")


def _names(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    target = Path(path)
    return target, target.parent / f".{secrets.token_hex(8)}{target.suffix}"


def _refused(target: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {target}: {error.strerror or error}; choose another place or free it")
