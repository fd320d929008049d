"""Files and folders are whole or not there, and nothing temporary stays."""

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ainet
import ainet.labels
from ainet.errors import OutputError, UsageError
from ainet.files import atomic_folder, atomic_path, check_place, clear_leftovers, is_file, is_folder
from ainet.training.checkpoint import load_checkpoint


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "x.tar.npy"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".npy"
        temporary.write_bytes(b"content")
        assert not target.exists()
    assert target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


def test_file_replaces_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with atomic_path(str(target)) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_exception_leaves_all_as_it_was(tmp_path: Path, error: BaseException) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    for path in (old, tmp_path / "new"):
        with pytest.raises(type(error)), atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error
    with pytest.raises(type(error)), atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("half")
        raise error
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_writer_that_fails_becomes_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"x: No space left on device"), atomic_path(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_without_a_number(tmp_path: Path) -> None:
    """As NumPy's where the disk is full."""
    with pytest.raises(OutputError, match=r"x\.npy: .* full disk"), atomic_path(tmp_path / "x.npy"):
        raise OSError("5120 requested and 5088 written")
    assert list(tmp_path.iterdir()) == []


def test_names_that_the_system_refuses_name_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert is_file(tmp_path / "x")
    assert is_folder(tmp_path)
    for name in ("x" * 300, "x" * 5000, "x/y", "loop", "loop/y", "null\0", "\ud800"):
        assert not is_file(tmp_path / name)
        assert not is_folder(tmp_path / name)


def test_permissions_follow_the_umask(tmp_path: Path, umask: int) -> None:
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("content")
    with atomic_folder(tmp_path / "folder"):
        pass
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask


def test_threads_do_not_disturb_each_other(tmp_path: Path, umask: int) -> None:
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        for path in (tmp_path / "same", tmp_path / str(number)):
            with atomic_path(path) as temporary:
                temporary.write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["same", *map(str, range(64))])
    assert all((tmp_path / str(number)).read_text() == str(number) for number in range(64))
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o666 & ~umask}


def test_targets_that_are_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null"), Path()):
        with pytest.raises(OutputError, match=re.escape(str(path))), atomic_path(path):
            pytest.fail("the block must not run")
    assert Path("/dev/null").is_char_device()


def test_a_place_is_checked_before_the_work(tmp_path: Path) -> None:
    check_place(tmp_path / "new/result.json")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "old.json").write_text("old")
    check_place(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "old"
    for path in (tmp_path / "new", tmp_path / "old.json/result.json", Path("/dev/null")):
        with pytest.raises(OutputError, match="cannot write"):
            check_place(path)


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for make in (atomic_path, atomic_folder):
        for path in (tmp_path / "file" / "x", tmp_path / "file" / "deeper" / "x"):
            with pytest.raises(OutputError, match="x: "), make(path):
                pytest.fail("the block must not run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_long_names(tmp_path: Path) -> None:
    name = "x" * 251 + ".npy"
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_text("content")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(OutputError, match="File name too long"), atomic_path(tmp_path / f"x{name}"):
        pytest.fail("the block must not run")


def test_folder_takes_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "frames"
    with atomic_folder(target) as temporary:
        (temporary / "0").write_text("content")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["0"]
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_that_may_be_replaced(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with atomic_folder(tmp_path / "frames", lambda folder: [file.name for file in folder.iterdir()] == ["0"]) as temporary:
            (temporary / "0").write_text(content)
    assert (tmp_path / "frames" / "0").read_text() == "new"
    assert list(tmp_path.iterdir()) == [tmp_path / "frames"]
    (tmp_path / "frames" / "mine").touch()
    with pytest.raises(OutputError, match="there already"), atomic_folder(tmp_path / "frames", lambda folder: False):
        pytest.fail("the block must not run")


WRITER = """
import sys, time
from pathlib import Path
from ainet.files import atomic_folder, atomic_path, clear_leftovers
with atomic_path(sys.argv[1] + "/x.npy") as file, atomic_folder(sys.argv[1] + "/frames") as folder:
    file.write_text("half")
    (folder / "0").write_text("half")
    print("writing", flush=True)
    time.sleep(100)
"""


@pytest.mark.slow
def test_what_a_killed_process_leaves_is_cleared_by_the_next(tmp_path: Path) -> None:
    """And what another process is writing just now stays, as does a file of a name that is not ours."""
    (tmp_path / ".0123456789abcdef.npy").touch()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
    assert len(list(tmp_path.iterdir())) == 5
    writers[0].kill()
    writers[0].wait()
    with atomic_path(tmp_path / "y.npy") as temporary:
        temporary.touch()
        assert len(list(tmp_path.iterdir())) == 4
    writers[1].terminate()
    writers[1].wait()
    clear_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".0123456789abcdef.npy", "y.npy"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_folder_that_is_there_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("precious")
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OutputError, match=f"{kind}: it is there already"), atomic_folder(tmp_path / kind):
        pytest.fail("the block must not run")
    assert (tmp_path / "folder" / "mine").read_text() == (tmp_path / "file").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("path", [5, None, b"x", "", "x\0y", "\ud800", pytest.param(10**5000, id="digits"), ["x"]])
def test_what_is_no_path(path: Any) -> None:
    for read in (ainet.labels.read_labels, ainet.labels.read_bsds_truths, load_checkpoint):
        with pytest.raises(UsageError):
            read(path)
    with pytest.raises(UsageError):
        ainet.labels.write_labels(path, np.zeros((2, 2), np.int32))
    if isinstance(path, str):
        with pytest.raises(UsageError, match="no file can have the name"):
            ainet.read_image(path)


def test_what_comes_into_a_folder_meanwhile_is_not_lost(tmp_path: Path) -> None:
    """As between the last look at it and its replacement."""
    (tmp_path / "frames").mkdir()
    looks = []

    def replaceable(folder: Path) -> bool:
        names = [file.name for file in folder.iterdir()]
        looks.append(names)
        if len(looks) == 2:
            (folder / "notes.txt").write_text("mine")
        return names == []

    with pytest.raises(OutputError, match="there already"), atomic_folder(tmp_path / "frames", replaceable) as temporary:
        (temporary / "0").touch()
    assert [file.name for file in (tmp_path / "frames").iterdir()] == ["notes.txt"] and len(looks) >= 3
    assert [file.name for file in tmp_path.iterdir()] == ["frames"]


def test_a_folder_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with atomic_folder(tmp_path / "link", lambda folder: True) as temporary:
        (temporary / "0").touch()
    assert (tmp_path / "link").is_symlink() and [file.name for file in (tmp_path / "real").iterdir()] == ["0"]


def test_folders_are_replaced_where_the_system_cannot_exchange_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames/old").touch()
    with atomic_folder(tmp_path / "frames", lambda folder: True) as temporary:
        (temporary / "new").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["new"]
