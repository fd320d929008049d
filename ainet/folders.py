"""The one walk through a folder of images: what it takes, and a word on everything that it leaves out.

    listing = walk(Path("photos"))
    paths = [listing.folder / file for file in listing.files]
    print(listing.summary())   # photos: left out 2 hidden (.DS_Store, ._a.jpg), 1 of another kind (notes.txt)

Links to folders are followed, each folder once, wherever links lead.
"""

import os
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

from ainet.errors import ImageError, UsageError
from ainet.files import is_file, is_folder
from ainet.labels import ENDINGS, MOVIE_ENDING, OVERLAY_ENDING

# What Pillow reads and people keep pictures in. Left out: formats for printing, and of scientific data without pictures.
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg",
    ".jpx", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip
RESULT_ENDINGS = (ENDINGS["png16"], OVERLAY_ENDING, MOVIE_ENDING)  # images and videos that `ainet segment` writes
NAMED = 20  # of what is left out for one reason


@dataclass
class Listing:
    """What a walk found in `folder`.

    files: relative to it, sorted. left_out: the rest by the reason, as the words of `summary`. problems: what cannot be read.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    problems: list[ImageError] = field(default_factory=list)

    def leave_out(self, reason: str, file: Path) -> None:
        self.left_out.setdefault(reason, []).append(file)

    def omissions(self) -> str:
        """What was left out, or nothing: "left out 2 hidden (.DS_Store, ._a.jpg)"."""
        parts = []
        for reason, files in self.left_out.items():
            names = sorted(map(str, files))
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            parts.append(f"{len(names)} {reason} ({', '.join(names[:NAMED])}{more})")
        return f"left out {', '.join(parts)}" if parts else ""

    def summary(self) -> str:
        """The same as a line on the folder, or nothing."""
        omissions = self.omissions()
        return f"{self.folder}: {omissions}" if omissions else ""

    def take(self, file: Path, suffixes: Set[str]) -> None:
        """Put a file, relative to the folder, where it belongs: files of another suffix, and results of `ainet segment`, are left out."""
        path = self.folder / file
        if file.suffix.lower() not in suffixes:
            self.leave_out("of another kind", file)
        elif file.name.endswith(RESULT_ENDINGS):
            self.leave_out("results of ainet segment", file)
        elif is_file(path):
            self.files.append(file)
        elif reason := why_not_there(path):
            self.problems.append(ImageError(f"cannot read {path}: {reason}"))
        else:
            self.leave_out("pipes and devices", file)


def why_not_there(path: Path) -> str | None:
    """Why the system finds nothing at a path, or None where it finds something."""
    try:
        path.stat()
    except PermissionError as error:
        return f"{error.strerror}; check the permissions of its folder"
    except (OSError, ValueError):  # the latter of names that no file can have
        is_link = os.path.islink(path)  # noqa: PTH114 - as in `is_file`
        return f"a link to {path.readlink()}, which is not there" if is_link else "no such file; check the path"
    return None


def walk(folder: Path, suffixes: Set[str] = IMAGE_SUFFIXES, *, below: bool = True) -> Listing:
    """Find the files of these kinds in a folder and, with `below`, in those below it.

    Hidden files and folders, and results of `ainet segment`, are left out.

    Raises:
        UsageError: there is no such folder.
    """
    if not is_folder(folder):
        raise UsageError(f"no folder {folder}; name a folder of images")
    listing = Listing(folder)
    seen: set[tuple[int, int]] = set()
    folders, links = [Path()], list[Path]()
    while folders or links:
        current = folders.pop(0) if folders else links.pop(0)  # links last, so that a folder goes by its own name where it has one
        try:
            status = os.stat(f"{folder / current}/.")  # noqa: PTH116 - the dot, which Path drops, asks whether one may enter
            entries = sorted(os.scandir(folder / current), key=lambda entry: entry.name)
        except OSError as error:
            listing.problems.append(ImageError(f"cannot read the folder {folder / current}: {error.strerror}; check its permissions"))
            continue
        if (status.st_dev, status.st_ino) in seen:
            listing.leave_out("links to folders that are listed already", current)
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            file = current / entry.name
            if entry.name.startswith("."):
                listing.leave_out("hidden", file)
            elif not is_folder(folder / file):
                listing.take(file, suffixes)
            elif not below:
                listing.leave_out("folders below it", file)
            else:
                (links if entry.is_symlink() else folders).append(file)
    listing.files.sort()
    return listing


def image_files(folder: Path, report: Callable[[str], None]) -> list[Path]:
    """The image files that `walk` finds, sorted; `report` is given a line on what it leaves out.

    Raises:
        UsageError: there is no such folder.
        ImageError: it holds no images, or something in it cannot be read.
    """
    listing = walk(folder)
    if listing.problems:
        raise listing.problems[0]
    if listing.summary():
        report(listing.summary())
    if not listing.files:
        raise no_images(listing)
    return [folder / file for file in listing.files]


def no_images(listing: Listing) -> ImageError:
    """What to say of a folder without images."""
    omissions = listing.omissions()
    why = f"; {omissions}" if omissions else ""
    return ImageError(f"the folder {listing.folder} holds no images{why}; known are {', '.join(sorted(IMAGE_SUFFIXES))}")
