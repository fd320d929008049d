"""The folder of a video's label maps: whole or not there, and what of an earlier one gives way to it.

A hidden list in it names its files, with their sizes and times: so other people's files, and label maps that were changed since, are told
from results without being read.
"""

import contextlib
import json
import shutil
from collections.abc import Collection, Iterator
from itertools import takewhile
from pathlib import Path

from ainet.cli.job import Job
from ainet.cli.outputs import Format, result_path
from ainet.files import atomic_folder, parse_json

LIST = ".ainet-frames.json"


@contextlib.contextmanager
def frame_folder(job: Job, folder: Path, formats: Collection[Format]) -> Iterator[Path]:
    """A new folder, which replaces that of an earlier run, but for the label maps there in other formats.

    Raises:
        OutputError: there is a folder with anything but what earlier runs have written, or an input; it cannot be written.
    """

    def replaceable(old: Path) -> bool:
        return _is_as_written(old) and not any(job.is_input(folder / file.name) for file in old.iterdir())

    with atomic_folder(folder, replaceable) as temporary:
        yield temporary
        _keep_others(folder, temporary, formats)
        written = {file.name: _signature(file) for file in temporary.iterdir()}
        (temporary / LIST).write_text(json.dumps(written))


def _is_as_written(folder: Path) -> bool:
    found = {file.name: _signature(file) for file in folder.iterdir() if file.name != LIST}
    try:
        listed = parse_json((folder / LIST).read_text())
    except (OSError, ValueError):
        listed = {}
    return isinstance(listed, dict) and all(listed.get(name) == signature for name, signature in found.items())


def _keep_others(folder: Path, new: Path, formats: Collection[Format]) -> None:
    """Take over the label maps of the same frames in other formats."""
    endings = tuple(str(result_path(Path(), Path("0"), kind))[1:] for kind in formats)
    frames = {_frame(file.name) for file in new.iterdir()}
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.name.endswith(endings) or _frame(file.name) not in frames:
            continue
        try:
            (new / file.name).hardlink_to(file)
        except OSError:  # of file systems without links
            shutil.copy2(file, new / file.name)


def _frame(name: str) -> str:
    """The number that a file's name begins with."""
    return "".join(takewhile(str.isdigit, name))


def _signature(file: Path) -> list[int]:
    """Size and time of the last change, in nanoseconds."""
    status = file.lstat()
    return [status.st_size, status.st_mtime_ns]
