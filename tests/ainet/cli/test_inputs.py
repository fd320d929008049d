"""What `ainet segment` takes as its inputs: files, folders and globs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.command_line import FAST, Run, expected, tree

from ainet import Segmenter

pytestmark = pytest.mark.usefixtures("folder")


def test_files_folders_and_globs(run: Run, segmenter: Segmenter) -> None:
    for name in ("pics/x.png", "pics/deep/y.PNG", "pics/deep/er/x.png", "more/z1.png", "more/z2.png", "more/q.png", "[odd].png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("a.png", name)
    Path("pics/notes.txt").write_text("not a picture")
    Path("pics/folder.png").mkdir()
    result = run("segment", "b.jpg", "pics", "more/z*.png", "[odd].png", "b.jpg", "-o", "out", *FAST)
    assert (result.code, result.errors) == (0, [])
    assert tree() == ["[odd].npy", "b.npy", "deep/er/x.npy", "deep/y.npy", "x.npy", "z1.npy", "z2.npy"]
    np.testing.assert_array_equal(np.load("out/deep/y.npy"), expected(segmenter, "a.png"))
    np.testing.assert_array_equal(np.load("out/b.npy"), expected(segmenter, "b.jpg"))
    assert run("segment", str(Path("**/q.png")), "-o", "out2", *FAST).code == 0
    assert tree("out2") == ["q.npy"]


def test_globs_are_sifted_as_folders_are(run: Run) -> None:
    Path("gl/more").mkdir(parents=True)
    shutil.copy("a.png", "gl/more/c.png")
    shutil.copy("a.png", "gl/a.png")
    shutil.copy("b.jpg", "gl/b.jpg")
    Path("gl/a.json").write_text("{}")
    for _ in range(3):
        result = run("segment", "gl/*", "-o", "gl", "--format", "overlay", *FAST)
        assert (result.code, result.errors) == (0, [])
        assert result.lines[-1].startswith("2 of 2 inputs")
        assert tree("gl") == ["a.json", "a.png", "a_overlay.png", "b.jpg", "b_overlay.png", "more/c.png"]
    assert "gl/*: left out" in result.lines[0]
    assert "2 results of ainet segment (gl/a_overlay.png, gl/b_overlay.png)" in result.lines[0]
    assert "1 of another kind (gl/a.json)" in result.lines[0]
    assert "1 folders (gl/more)" in result.lines[0]
    assert len(run("segment", "gl/**/*", "-o", "out", *FAST).lines) == 5  # what is left out, three inputs, and their count
    result = run("segment", "gl/*.json", "-o", "out2", *FAST)
    assert (result.code, len(result.errors)) == (1, 1)
    assert "gl/*.json matches no images; left out 1 of another kind (gl/a.json)" in result.errors[0]


def test_one_file_of_several_names_is_one_input(run: Run) -> None:
    Path("deep").mkdir()
    shutil.copy("a.png", "deep/y.png")
    Path("link").symlink_to("deep")
    Path("link2").mkdir()
    Path("link2/a.jpg").symlink_to("../a.png")
    names = ["a.png", "./a.png", Path("a.png").resolve(), "deep/../a.png", "link2/a.jpg", "deep", "link", "*/y.png"]
    result = run("segment", *names, "-o", "out", *FAST)
    assert (result.code, result.errors) == (0, [])
    assert result.lines[-1].startswith("2 of 2 inputs")
    assert tree() == ["a.npy", "y.npy"]


def test_a_note_beside_a_photo_does_not_block_it(run: Run) -> None:
    """As the shell itself names both for a glob without quotes."""
    Path("a.json").write_text("{}")
    result = run("segment", "a.json", "a.png", "b.jpg", "-o", "out", *FAST)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "a.json would overwrite the results of a.png" in result.errors[0]
    assert tree() == ["a.npy", "b.npy"]
