"""Files that lie where results go: results of earlier runs are replaced, files of others never."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from support.command_line import FAST, Run, expected, tree

import ainet
from ainet import Segmenter
from ainet.cli.outputs import Format
from ainet.polygon_files import geojson, labelme

EVERY_FORMAT = [option for kind in Format for option in ("--format", kind)]


def test_results_are_replaced(run: Run, segmenter: Segmenter) -> None:
    run("segment", "a.png", "-o", "out", "--device", "cpu", "-n", "30", *EVERY_FORMAT)
    before = {name: Path("out", name).read_bytes() for name in tree()}
    result = run("segment", "a.png", "-o", "out", *FAST, *EVERY_FORMAT)
    assert (result.code, result.errors) == (0, [])
    assert tree() == sorted(before)
    np.testing.assert_array_equal(np.load("out/a.npy"), expected(segmenter, "a.png"))
    assert all(Path("out", name).read_bytes() != content for name, content in before.items())


def others_files(labels: NDArray[np.int32]) -> list[tuple[str, bytes]]:
    """Files that somebody else has made, and the endings of results that they have."""
    binary = np.zeros((48, 64), np.uint8)
    binary[10:20, 10:20] = 1
    in_pieces, wide = BytesIO(), BytesIO()
    np.save(in_pieces, ((np.arange(48 * 64).reshape(48, 64) // 100) % 3).astype(np.int32))
    np.save(wide, labels.astype(np.int64))
    opened_in_labelme = {**labelme(ainet.polygons(labels), "a.png", (48, 64)), "generator": "ainet-toolkit"}
    return [
        (".json", b'{"shapes":[{"label":"hand drawn"}]}'),
        (".json", json.dumps(opened_in_labelme, indent=2).encode()),
        (".geojson", json.dumps(geojson(ainet.polygons(labels))).encode()),
        (".csv", b"name,count\nx,3\n"),
        (".csv", b"1,1\n1,2\n"),  # a ground truth, numbered from 1
        ("_labels.png", b"text"),
        ("_labels.png", cv2.imencode(".png", binary)[1].tobytes()),
        ("_overlay.png", Path("a.png").read_bytes()),
        (".npy", in_pieces.getvalue()),
        (".npy", wide.getvalue()),
        (".npy", b""),
    ]


def test_files_of_others_are_not_replaced(run: Run, segmenter: Segmenter) -> None:
    """The image of each is refused by name before anything of it is written; the others are segmented."""
    there = {f"out/{number}{ending}": content for number, (ending, content) in enumerate(others_files(expected(segmenter, "a.png")))}
    Path("out").mkdir()
    for number, (name, content) in enumerate(there.items()):
        Path(name).write_bytes(content)
        shutil.copy("a.png", f"{number}.png")
    inputs = [f"{number}.png" for number in range(len(there))]
    result = run("segment", *inputs, "b.jpg", "-o", "out", *EVERY_FORMAT, "--device", "cpu", "--scale", "1")
    assert result.code == 2
    assert [line.split(": ")[1] for line in result.errors] == [f"cannot write {name}" for name in there]
    assert all("the file there is no result of ainet segment; move it" in line for line in result.errors)
    assert {name: Path(name).read_bytes() for name in there} == there
    assert len(tree()) == len(there) + len(Format)
