"""The walk through a folder of images: everything is found, or left out with a word."""

import os
from pathlib import Path

import pytest
from PIL import Image, features
from support.paths import PHOTOS

import ainet
from ainet.cli.inputs import collect
from ainet.errors import ImageError, UsageError
from ainet.folders import IMAGE_SUFFIXES, image_files, walk


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path) -> list[str]:
    return [str(file) for file in walk(folder).files]


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_kind_that_is_listed_can_be_read(tmp_path: Path, suffix: str) -> None:
    if suffix.startswith(".avif") and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    Image.init()
    kind = Image.registered_extensions()[suffix]
    if kind not in Image.SAVE:
        assert kind in Image.OPEN
        return
    picture = Image.open(PHOTOS / "coffee.jpg").crop((0, 0, 32, 32))
    picture.save(tmp_path / f"x{suffix.upper()}", format=kind)
    assert found(tmp_path) == [f"x{suffix.upper()}"]
    assert ainet.read_image(tmp_path / f"x{suffix.upper()}").shape == (32, 32, 3)


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    touch(tmp_path, "photos/real/a.png", "elsewhere/b.jfif", "elsewhere/deep/c.GIF")
    (photos / "disk").symlink_to("../elsewhere")
    (photos / "again").symlink_to("real")  # before "real" in the alphabet, yet the folder keeps its own name
    (photos / "real" / "loop").symlink_to("..")
    (tmp_path / "elsewhere" / "home").symlink_to(tmp_path)
    (photos / "file.png").symlink_to("real/a.png")
    listing = walk(photos)
    assert [str(file) for file in listing.files] == ["disk/b.jfif", "disk/deep/c.GIF", "file.png", "real/a.png"]
    assert sum(map(len, listing.left_out.values())) == 4
    assert "links to folders that are listed already" in listing.summary()


def test_two_folders_that_link_to_each_other(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{name}.png" for name in "abcdefgh"))
    for name in "abcdefgh":
        for other in "abcdefgh".replace(name, ""):
            (tmp_path / name / other).symlink_to(f"../{other}")
    assert found(tmp_path) == [f"{name}/{name}.png" for name in "abcdefgh"]


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "._a.png", ".DS_Store", ".cache/x.png", *(f"{number}.txt" for number in range(10, 33)))
    os.mkfifo(tmp_path / "pipe.png")
    lines: list[str] = []
    assert image_files(tmp_path, lines.append) == [tmp_path / "a.png"]
    assert lines == [
        f"{tmp_path}: left out 3 hidden (.DS_Store, ._a.png, .cache), "
        f"23 of another kind ({', '.join(f'{number}.txt' for number in range(10, 30))} and 3 more), "
        "1 pipes and devices (pipe.png)"
    ]
    (tmp_path / "below").mkdir()
    assert walk(tmp_path, below=False).left_out["folders below it"] == [Path("below")]


def test_results_are_not_inputs(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_labels.png", "a_overlay.png", "clip_overlay.mp4", "out/a_overlay.png", "overlay.png", "my_overlays.png")
    listing = walk(tmp_path, IMAGE_SUFFIXES | {".mp4"})
    assert [str(file) for file in listing.files] == ["a.png", "my_overlays.png", "overlay.png"]
    assert len(listing.left_out["results of ainet segment"]) == 4


def test_what_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "itself.png").symlink_to("itself.png")
    (listing := walk(tmp_path)).files.remove(Path("a.png"))
    assert [str(problem) for problem in listing.problems] == [
        f"cannot read {tmp_path}/gone.png: a link to nowhere.png, which is not there",
        f"cannot read {tmp_path}/itself.png: a link to itself.png, which is not there",
    ]
    with pytest.raises(ImageError, match=r"gone\.png"):
        image_files(tmp_path, print)
    with pytest.raises(UsageError, match="no folder"):
        walk(tmp_path / "a.png")
    touch(tmp_path, "empty/notes.txt")
    with pytest.raises(ImageError, match=r"holds no images; left out 1 of another kind \(notes.txt\); known are"):
        image_files(tmp_path / "empty", print)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
@pytest.mark.parametrize("mode", [0, 0o644], ids=["closed", "can be listed, not entered"])
def test_a_folder_that_is_closed(tmp_path: Path, mode: int) -> None:
    touch(tmp_path, "a.png", "closed/b.png", "closed/deep/c.png")
    closed = tmp_path / "closed"
    (tmp_path / "link.png").symlink_to("closed/b.png")
    (tmp_path / "other.png").symlink_to("closed/deep")
    closed.chmod(mode)
    try:
        listing = walk(tmp_path)
        named = collect([str(closed / "b.png"), str(closed / "*.png"), str(tmp_path / "link.png")])
    finally:
        closed.chmod(0o700)
    assert listing.files == [Path("a.png")]
    assert [str(problem) for problem in listing.problems] == [
        f"cannot read {tmp_path}/link.png: Permission denied; check the permissions of its folder",
        f"cannot read {tmp_path}/other.png: Permission denied; check the permissions of its folder",
        f"cannot read the folder {closed}: Permission denied; check its permissions",
    ]
    one, glob, link = map(str, named.problems)
    assert one == f"cannot read {closed}/b.png: Permission denied; check the permissions of its folder"
    assert glob.startswith(f"cannot read {closed}/")
    assert link == f"cannot read {tmp_path}/link.png: Permission denied; check the permissions of its folder"
