"""Files and folders that are either whole or not there: write under a temporary name, then rename. And JSON, and bytes
that are kept to save time.

A process that is killed leaves its temporary files behind. Each is locked as long as somebody writes it, so that the next process which
writes into the folder knows those that are nobody's, and removes them.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ainet.errors import OutputError, UsageError, short

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux's renameat2
PREFIX = ".ainet-"  # of temporary names
DIGEST_SIZE = hashlib.sha256().digest_size
_temporary = re.compile(re.escape(PREFIX) + r"[0-9a-f]{16}(\..*)?").fullmatch
_cleared: set[Path] = set()  # folders, by this process


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file. A name that the system refuses, such as one too long, names none: there `Path.is_file` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """The same of a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def path_text(path: Any, claim: str = "a file is named by a path") -> str:
    """A path as text; `claim`: what errors say that it should be.

    Raises:
        UsageError: it is no path, or one that no file can have.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise UsageError(f"{claim}, not by {short(path)}")
    try:
        bad = "\0" in text or not os.fsencode(text)
    except UnicodeEncodeError:
        bad = True
    if bad:
        raise UsageError(f"no file can have the name {short(text)}; name another")
    return text


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to `path` when the block ends and removed when it raises.

    The temporary name keeps the suffix, so that writers which look at it still work. Missing parent folders are made.

    Raises:
        OutputError: the file cannot be written, or `path` is a folder or device.
    """
    target = Path(path_text(path))
    with _errors_of(target), _file_beside(target) as temporary:
        yield temporary
        temporary.replace(target)


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise the errors of `atomic_path`, before the work whose result is to stand at `path`; missing parent folders are made."""
    target = Path(path_text(path))
    with _errors_of(target), _file_beside(target):
        pass


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str], replaceable: Callable[[Path], bool] = lambda folder: False) -> Iterator[Path]:
    """The same for a folder; one that is there already gives way if it is `replaceable`.

    Raises:
        OutputError: the folder cannot be made, or something is at `path` that is not to be replaced.
    """
    target = Path(path_text(path))
    target = target.resolve() if os.path.islink(target) else target  # noqa: PTH114 - as in `is_file`
    with _errors_of(target), contextlib.ExitStack() as stack:
        _check_free(target, replaceable)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = stack.enter_context(_locked(target, folder=True))
        yield temporary
        _check_free(target, replaceable)
        if not target.exists():
            temporary.rename(target)
            return
        _swap(temporary, target)
        if not replaceable(temporary):  # what somebody has put there since
            _swap(temporary, target)
            _check_free(target, replaceable)


def write_json(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write `values` as an indented JSON file; errors as of `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


def read_sealed(path: Path, owner: str = "") -> bytes | None:
    """What `write_sealed` left at `path` for the same owner; None where there is nothing, or it is damaged."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    seal, content = whole[:DIGEST_SIZE], whole[DIGEST_SIZE:]
    return content if seal == _seal(owner, content) else None


def write_sealed(path: Path, content: bytes, owner: str = "") -> None:
    """Keep bytes, with a hash in front, that save time the next time and no more: where they cannot be written, nothing happens.

    owner: what they are good for, such as a version of a library and a GPU.
    """
    with contextlib.suppress(OutputError), atomic_path(path) as temporary:
        temporary.write_bytes(_seal(owner, content) + content)


def parse_json(text: str) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@contextlib.contextmanager
def lock(path: Path, wait: bool) -> Iterator[int]:
    """Hold the lock of a file or folder; `OSError` where another holds it and one does not `wait`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # of some network file systems too, which have no locks: nothing is cleared there
            if not wait:
                raise
        yield descriptor
    finally:
        os.close(descriptor)


def clear_leftovers(folder: Path) -> None:
    """Remove what killed processes have left half-written in a folder."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if _temporary(entry.name):
                with contextlib.suppress(OSError), lock(Path(entry.path), wait=False):
                    _remove(Path(entry.path))


def _seal(owner: str, content: bytes) -> bytes:
    return hashlib.sha256(owner.encode() + b"\0" + content).digest()


def _check_free(folder: Path, replaceable: Callable[[Path], bool]) -> None:
    if folder.exists() and not (folder.is_dir() and replaceable(folder)):
        raise OutputError(f"cannot write {folder}: it is there already; remove it, or choose another place")


def _swap(one: Path, other: Path) -> None:
    """Exchange two folders, in one step where the system can, so that a process killed in between loses neither."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    if exchange is not None and exchange(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return
    third = one.with_name(f"{PREFIX}{secrets.token_hex(8)}")
    other.rename(third)
    one.rename(other)
    third.rename(one)


@contextlib.contextmanager
def _file_beside(target: Path) -> Iterator[Path]:
    """A temporary file beside `target`, which may be no folder or device."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and not target.is_file():
        raise OutputError(f"cannot write {target}: it is a folder or device; name a file")
    with _locked(target, folder=False) as temporary:
        yield temporary


@contextlib.contextmanager
def _locked(target: Path, folder: bool) -> Iterator[Path]:
    """A new temporary file or folder beside `target`, locked; removed at the end, if it is still there."""
    parent = target.parent
    if parent.absolute() not in _cleared:
        clear_leftovers(parent)
        _cleared.add(parent.absolute())
    with contextlib.ExitStack() as held:
        temporary = _new(target, folder)
        while not _is_held(temporary, held):
            temporary = _new(target, folder)
        try:
            yield temporary
        finally:
            _remove(temporary)


def _new(target: Path, folder: bool) -> Path:
    path = target.parent / f"{PREFIX}{secrets.token_hex(8)}{target.suffix}"
    path.mkdir() if folder else path.touch(exist_ok=False)
    return path


def _is_held(path: Path, held: contextlib.ExitStack) -> bool:
    """Lock a new file or folder; False where another process has just removed it as a leftover."""
    try:
        return os.fstat(held.enter_context(lock(path, wait=True))).st_nlink > 0
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


@contextlib.contextmanager
def _errors_of(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or f"it could not be written whole ({error}), as on a full disk"  # without a reason: NumPy's
        raise OutputError(f"cannot write {target}: {reason}; choose another place or free it") from error
