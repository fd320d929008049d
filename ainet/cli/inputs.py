"""The inputs of `ainet segment`: files, folders, globs and videos, each with the name that its results take."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ainet.errors import AINetError, ImageError, UsageError
from ainet.files import is_file, is_folder
from ainet.folders import IMAGE_SUFFIXES, Listing, no_images, walk, why_not_there
from ainet.image_files import VIDEO_SUFFIXES

SUFFIXES = (IMAGE_SUFFIXES | VIDEO_SUFFIXES) - {".ts"}  # taken from folders and globs, where .ts is TypeScript more often than a video


@dataclass(frozen=True)
class Input:
    """`path`: the file. `name`: its results' path below the output folder, without suffix."""

    path: Path
    name: Path

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEO_SUFFIXES


@dataclass
class Collected:
    """What the user named. problems: what is not there or cannot be told apart. notes: lines on what folders hold besides."""

    inputs: list[Input] = field(default_factory=list)
    problems: list[AINetError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect(patterns: Sequence[str]) -> Collected:
    """Resolve what the user named; a folder stands for the images and videos below it.

    There is also an error for each thing that is not there, and for each input whose results would overwrite another's.
    """
    found = Collected()
    inputs: list[Input] = []
    for pattern in patterns:
        path = Path(pattern)
        if is_folder(path):
            inputs += _in_folder(path, found)
        elif is_file(path):
            inputs.append(Input(path, Path(path.stem)))
        else:
            inputs += _matching(pattern, found)
    inputs = _each_once(inputs)
    chosen: dict[Path, Input] = {}
    for item in sorted(inputs, key=lambda item: item.path.suffix.lower() not in SUFFIXES):  # so that a note blocks no photo
        other = chosen.setdefault(item.name, item).path
        if other != item.path and other.resolve() != item.path.resolve():
            found.problems.append(overwrites(item.path, other))
    mine = [item for item in inputs if chosen[item.name] is item]
    found.inputs = [item for item in mine if not _below_a_video(item, chosen, found)]
    return found


def _each_once(inputs: Sequence[Input]) -> list[Input]:
    """Without the files that have been named before, in whatever way; a link is a file of its own."""
    files: dict[Path, Input] = {}
    for item in inputs:
        files.setdefault(item.path.parent.resolve() / item.path.name, item)
    return list(files.values())


def _in_folder(folder: Path, found: Collected) -> list[Input]:
    listing = walk(folder, SUFFIXES)
    found.problems += listing.problems
    if listing.files and listing.summary():
        found.notes.append(listing.summary())
    if not listing.files and not listing.problems:
        found.problems.append(no_images(listing))
    return [Input(folder / file, file.with_suffix("")) for file in listing.files]


def _matching(pattern: str, found: Collected) -> list[Input]:
    """The files of a glob, of which those are left out that are left out of a folder."""
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207  # Path.glob: relative only
    if matches in ([], [Path(pattern)]):  # no glob, but a name
        reason = why_not_there(Path(pattern)) or "not a regular file; check the path"
        found.problems.append(ImageError(f"cannot read {pattern}: {reason}"))
        return []
    listing = Listing(Path())
    for match in matches:
        if not is_folder(match):
            listing.take(match, SUFFIXES)
        elif "**" not in pattern:
            listing.leave_out("folders", match)
    found.problems += listing.problems
    omissions = listing.omissions()
    if not listing.files and not listing.problems:
        found.problems.append(ImageError(f"{pattern} matches no images; {omissions}; name a file to have it all the same"))
    elif omissions:
        found.notes.append(f"{pattern}: {omissions}")
    return [Input(file, Path(file.stem)) for file in listing.files]


def _below_a_video(item: Input, chosen: dict[Path, Input], found: Collected) -> bool:
    """Whether the results would lie in the folder that the frames of a video go to."""
    for parent in item.name.parents:
        video = chosen.get(parent)
        if video is not None and video.is_video:
            found.problems.append(overwrites(item.path, video.path))
            return True
    return False


def overwrites(path: Path, other: Path) -> UsageError:
    """The error of an input whose results would replace another's."""
    return UsageError(f"{path} would overwrite the results of {other}; rename one, or use another output folder")
