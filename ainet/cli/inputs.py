"""The inputs of `ainet segment`: files, folders, globs and videos, each with the name that its results take."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ainet.errors import AINetError, ImageError, UsageError
from ainet.images import IMAGE_SUFFIXES, files_below, no_images

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"})


@dataclass(frozen=True)
class Input:
    """`path`: the file. `name`: its results' path below the output folder, without suffix."""

    path: Path
    name: Path

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def collect(patterns: Sequence[str]) -> tuple[list[Input], list[AINetError]]:
    """Resolve what the user named; a folder stands for the images and videos below it.

    Also gives an error for each thing that is not there, and for each input whose results would overwrite another's.
    """
    inputs: list[Input] = []
    problems: list[AINetError] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            found = files_below(path, IMAGE_SUFFIXES | VIDEO_SUFFIXES)
            inputs += [Input(path / file, file.with_suffix("")) for file in found]
            if not found:
                problems.append(no_images(path))
        elif path.is_file():
            inputs.append(Input(path, Path(path.stem)))
        else:
            matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207  # Path.glob: relative only
            files = [match for match in matches if match.is_file()]
            inputs += [Input(file, Path(file.stem)) for file in files]
            if not files:
                reason = "not a regular file" if path.exists() else "no such file"
                problems.append(ImageError(f"cannot read {path}: {reason}; check the path"))
    chosen: dict[Path, Input] = {}
    for item in inputs:
        other = chosen.setdefault(item.name, item).path
        if other != item.path:
            problems.append(UsageError(f"{item.path} would overwrite the results of {other}; rename one, or use another output folder"))
    return list(chosen.values()), problems
