"""Bulk jobs: their parts, what a worker writes, and a job on a real Ray of which a worker is killed in the middle."""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.paths import PHOTOS, ROOT

import ainet
from ainet import Segmenter
from ainet.errors import DeviceError, ImageError, OutputError, UsageError

pytest.importorskip("ray", reason="Ray is not installed: pip install 'ainet-toolkit[ray,cpu]'")
import psutil
import pyarrow
import typer
from pyarrow import parquet

from ainet.bulk.parts import Part, parts_of_files, parts_of_parquet
from ainet.bulk.worker import Task, Worker
from ainet.cli.bulk import segment_on_ray

pytestmark = pytest.mark.slow

COUNT = 40


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 pictures of 160 x 240, and one broken file."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "astronaut"):
        photo = Image.open(PHOTOS / f"{name}.jpg")
        for number in range(12):
            photo.crop((10 * number, 5 * number, 10 * number + 240, 5 * number + 160)).save(folder / f"{name}{number:02}.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def labels_of(row: dict[str, bytes]) -> NDArray[np.uint16]:
    return np.array(Image.open(io.BytesIO(row["labels"])))


def rows_in(out: Path) -> list[dict[str, object]]:
    return [row for file in sorted(out.glob("*.parquet")) for row in parquet.read_table(file).to_pylist()]


def test_what_a_worker_writes(photos: Path, segmenter: Segmenter, tmp_path: Path) -> None:
    part = Part("images-x.parquet", (("a", str(photos / "coffee03.png")), ("broken", str(photos / "broken.jpg"))))
    worker = Worker(Task(str(tmp_path), device="cpu", options={"n_segments": COUNT}, formats=("png16",)))
    count, ((name, message),) = worker(Part.from_json(part.to_json()))
    assert (count, name) == (2, "broken")
    assert "broken.jpg" in message
    good, bad = rows_in(tmp_path)
    assert bad == {**dict.fromkeys(good), "name": "broken", "error": message}
    image = ainet.read_image(photos / "coffee03.png")
    labels = segmenter(image, COUNT)
    np.testing.assert_array_equal(labels_of(good), labels)
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "a_labels.png")), labels)
    table = ainet.region_table(labels, image)
    assert {key: good[key] for key in ("name", "error", "height", "width")} == {"name": "a", "error": None, "height": 160, "width": 240}
    for key in ("area", "centroid", "bbox", "mean_colour"):
        assert good[key] == table[key].tolist()

    before = (tmp_path / "images-x.parquet").stat().st_mtime_ns
    assert worker(part) == (2, [(name, message)])  # as when the worker before it was lost after it had written
    assert (tmp_path / "images-x.parquet").stat().st_mtime_ns == before


def test_what_does_not_fit_into_a_png_is_an_error_of_that_image(tmp_path: Path) -> None:
    """A disk that takes no file ends the job."""
    Image.new("RGB", (1_000_016, 16)).save(tmp_path / "wide.png")
    Image.new("RGB", (64, 48)).save(tmp_path / "small.png")
    part = Part("images-x.parquet", tuple((name, str(tmp_path / f"{name}.png")) for name in ("wide", "small")))
    out = tmp_path / "out"
    worker = Worker(Task(str(out), device="cpu", options={"n_segments": 4, "quality": "fast"}, formats=("npy", "png16")))
    count, ((name, message),) = worker(part)
    assert (count, name) == (2, "wide")
    assert message.startswith("wide: 16x1000016 is too large for a PNG")
    assert sorted(file.name for file in out.iterdir()) == ["images-x.parquet", "small.npy", "small_labels.png"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        Worker(Task(str(tmp_path / "file"), device="cpu", options={"n_segments": 4, "quality": "fast"}, formats=("npy",)))(part)


def test_parquet_in(photos: Path, segmenter: Segmenter, tmp_path: Path) -> None:
    content = [(photos / name).read_bytes() for name in ("coffee00.png", "broken.jpg", "chelsea01.png")]
    source = tmp_path / "in/set.parquet"
    source.parent.mkdir()
    parquet.write_table(pyarrow.table({"bytes": content, "path": ["one", "two", "three"]}), source, row_group_size=2)
    parts, done = parts_of_parquet([source], tmp_path)
    assert ([part.file for part in parts], done) == (["set-00000.parquet", "set-00001.parquet"], 0)
    worker = Worker(Task(str(tmp_path), device="cpu", options={"n_segments": COUNT}))
    assert [images for images, _ in map(worker, parts)] == [2, 1]
    one, two, three = rows_in(tmp_path)
    assert (one["name"], two["name"], three["name"]) == ("one", "two", "three")
    assert str(two["error"]).startswith("two ")
    np.testing.assert_array_equal(labels_of(three), segmenter(ainet.read_image(photos / "chelsea01.png"), COUNT))  # type: ignore[arg-type]
    (tmp_path / "set-00000.parquet").unlink()
    assert parts_of_parquet([source], tmp_path) == (parts[:1], 1)


def test_finished_images_are_not_done_again(photos: Path, tmp_path: Path) -> None:
    images = [(file.stem, file) for file in sorted(photos.iterdir())]
    parts, done = parts_of_files(images, tmp_path, 1)
    assert (sum(len(part.images) for part in parts), done) == (37, 0)
    assert len({part.file for part in parts}) == len(parts)
    parquet.write_table(pyarrow.table({"name": ["broken", "coffee00"]}), tmp_path / "images-1.parquet")
    parts, done = parts_of_files(images, tmp_path, 1)
    assert ([name for part in parts for name, _ in part.images], done) == (
        [name for name, _ in images if name not in ("broken", "coffee00")],
        2,
    )
    (tmp_path / "images-2.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImageError, match=r"images-2\.parquet"):
        parts_of_files(images, tmp_path, 1)


def test_inputs_that_cannot_be(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parquet.write_table(pyarrow.table({"picture": [b""]}), "other.parquet")
    Path("bad.parquet").write_bytes(b"PAR1")
    Path("clip.mp4").touch()

    def call(*inputs: str, formats: tuple[str, ...] = (), address: str = "local") -> None:
        segment_on_ray(inputs, Path("out"), formats, None, "cpu", "auto", 1, address, {}, {})

    for inputs, formats, kind, message in (
        (("other.parquet",), (), UsageError, "picture"),
        (("bad.parquet",), (), ImageError, "bad.parquet"),
        (("other.parquet", str(photos)), (), UsageError, "alone"),
        (("clip.mp4",), (), UsageError, "clip.mp4"),
        ((str(photos),), ("overlay",), UsageError, "overlay"),
    ):
        with pytest.raises(kind, match=message):
            call(*inputs, formats=formats)
    with pytest.raises(DeviceError, match=r"127\.0\.0\.1:1"):
        call(str(photos), address="127.0.0.1:1")
    assert not Path("out").exists()


@pytest.mark.parametrize(("extra", "code"), [((), 0), (("gone.png",), 1), (("deep",), 2), (("deep", "gone.png"), 2)])
def test_the_exit_code_is_of_the_worst_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: tuple[str, ...], code: int) -> None:
    """deep/a.jpg would overwrite the results of a.png; all else is done before, so that no cluster is asked."""
    monkeypatch.chdir(tmp_path)
    Path("deep").mkdir()
    for name in ("a.png", "deep/a.jpg"):
        Image.new("RGB", (64, 48)).save(name)
    Path("out").mkdir()
    parquet.write_table(pyarrow.table({"name": ["a"]}), "out/images-1.parquet")
    found = 0
    try:
        segment_on_ray(("a.png", *extra), Path("out"), (), None, "cpu", "auto", 1, "local", {}, {})
    except typer.Exit as end:
        found = end.exit_code
    assert found == code


def ainet_on_ray(photos: Path, out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "ainet", "segment", str(photos), "-o", str(out), "--ray", "local", "--jobs", "2", "--device", "cpu"]
    return subprocess.Popen(
        [*command, "-n", str(COUNT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=out.parent,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
    )


def test_a_worker_that_is_killed(photos: Path, segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost and nothing comes twice; the command run again does what is missing, and nothing else."""
    out = tmp_path / "out"
    job = ainet_on_ray(photos, out)
    workers: list[psutil.Process] = []
    while job.poll() is None and not (workers and list(out.glob("*.parquet"))):
        time.sleep(0.02)
        workers = [child for child in psutil.Process(job.pid).children(recursive=True) if "MapWorker" in "".join(child.cmdline())]
    assert workers, job.communicate()
    workers[0].kill()
    printed, errors = job.communicate(timeout=400)
    assert job.returncode == 1
    assert "36 of 37 images segmented" in printed
    assert errors.count("broken.jpg") == 1
    rows = {str(row["name"]): row for row in rows_in(out)}
    assert len(rows_in(out)) == len(rows) == 37
    assert [name for name, row in rows.items() if row["error"] is not None] == ["broken"]
    for name in ("chelsea00", "coffee11", "astronaut05"):
        np.testing.assert_array_equal(labels_of(rows[name]), segmenter(ainet.read_image(photos / f"{name}.png"), COUNT))  # type: ignore[arg-type]

    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/ray.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    np.testing.assert_array_equal(names["labels"], labels_of(names["row"]))  # type: ignore[arg-type]

    parts = sorted(out.glob("*.parquet"))
    removed = {name: rows[name] for file in parts[:3] for name in parquet.read_table(file)["name"].to_pylist()}
    kept = {file: file.stat().st_mtime_ns for file in parts[3:]}
    for file in parts[:3]:
        file.unlink()
    printed, _ = ainet_on_ray(photos, out).communicate(timeout=400)
    assert f"{37 - len(removed)} were done before" in printed
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert {str(row["name"]): row for row in rows_in(out)} == rows
