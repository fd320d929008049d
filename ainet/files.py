"""Files that are either whole or not there: write under a temporary name, then rename."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ainet.errors import OutputError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to `path` when the block ends and removed when it raises.

    The temporary name keeps the suffix, so that writers which look at it still work. Missing parent folders are made.

    Raises:
        OutputError: the folder or file cannot be written.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise OutputError(f"cannot write {target}: it is a folder; name a file")
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; the result follows the user's umask
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}; choose another place or free it") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
