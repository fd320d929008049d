"""`ainet segment`: every kind of input, format and option, by what it writes."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from support.command_line import FAST, Run, expected, frames, tree
from support.paths import PHOTOS

import ainet
from ainet import Segmenter
from ainet.cli.outputs import Format
from ainet.georeference import Georeference, has_rasterio
from ainet.models import bundled
from ainet.polygon_files import geojson, labelme

EVERY_FORMAT = [option for kind in Format for option in ("--format", kind)]


def test_every_format(run: Run, segmenter: Segmenter) -> None:
    result = run("segment", "a.png", "-o", "out", *EVERY_FORMAT, *FAST)
    labels = expected(segmenter, "a.png")
    assert result.code == 0
    assert result.errors == []
    assert result.lines == [
        f"a.png: {segmenter.plan(48, 64, 12)}; 12 superpixels",
        "1 of 1 inputs segmented into out on ONNX Runtime (CPU)",
    ]
    assert tree() == ["a.csv", "a.geojson", "a.json", "a.npy", "a_labels.png", "a_overlay.png"]
    assert np.load("out/a.npy").dtype == np.int32
    png = cv2.imread("out/a_labels.png", cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    for written in (np.load("out/a.npy"), png, np.loadtxt("out/a.csv", np.int32, delimiter=",")):
        np.testing.assert_array_equal(written, labels)
    np.testing.assert_array_equal(ainet.read_image("out/a_overlay.png"), ainet.overlay(ainet.read_image("a.png"), labels))
    polygons = ainet.polygons(labels)
    ours = {"generator": "ainet-toolkit"}
    assert json.loads(Path("out/a.geojson").read_text()) == ours | geojson(polygons)
    assert json.loads(Path("out/a.json").read_text()) == ours | labelme(polygons, "../a.png", labels.shape)


def test_geojson_of_a_geotiff(run: Run, segmenter: Segmenter) -> None:
    tags = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 900.0, 700.0, 0.0)}  # half a unit a pixel, the corner at (900, 700)
    Image.open("a.png").convert("RGB").save("a.tif", tiffinfo=tags)
    result = run("segment", "a.tif", "-o", "out", "--format", "geojson", *FAST)
    content = json.loads(Path("out/a.geojson").read_text())
    assert content.pop("generator") == "ainet-toolkit"
    polygons = ainet.polygons(expected(segmenter, "a.tif"))
    if has_rasterio():
        assert (result.code, result.errors) == (0, [])
        assert content == geojson(polygons, Georeference((0.5, 0, 900, 0, -0.5, 700), None))
    else:
        assert (result.code, len(result.errors)) == (0, 1)
        assert "pip install 'ainet-toolkit[geo]'" in result.errors[0]
        assert content == geojson(polygons)


def test_labelme_opens_no_videos(run: Run, video: list[NDArray[np.uint8]]) -> None:
    result = run("segment", "clip.avi", "a.png", "-o", "out", "--format", "labelme", *FAST)
    assert (result.code, len(result.errors)) == (2, 1)
    assert tree() == ["a.json"]


def test_scale_protocol_and_model(run: Run, segmenter: Segmenter) -> None:
    image = ainet.read_image("a.png")
    assert run("segment", "a.png", "-o", "out", "--scale", "0.75", "--device", "cpu", "--model", bundled("ainet-lite.onnx")).code == 0
    np.testing.assert_array_equal(np.load("out/a.npy"), segmenter(image, scale=0.75))
    Image.open(PHOTOS / "astronaut.jpg").crop((0, 0, 481, 321)).save("bsds.png")
    assert run("segment", "bsds.png", "-o", "out", "--protocol", "public", "--scale", "0.3", "--device", "cpu").code == 0
    np.testing.assert_array_equal(np.load("out/bsds.npy"), segmenter(ainet.read_image("bsds.png"), scale=0.3, protocol="public"))


@pytest.mark.slow
def test_jobs(run: Run) -> None:
    for i in range(12):
        shutil.copy("ab"[i % 2] + (".png", ".jpg")[i % 2], f"{i}.{('png', 'jpg')[i % 2]}")
    one = run("segment", "*[0-9].*", "-o", "one", *FAST)
    four = run("segment", "*[0-9].*", "-o", "four", *FAST, "--jobs", "4")
    assert one.code == four.code == 0
    assert tree("one") == tree("four")
    assert len(tree("one")) == 12
    assert [line.replace("into four", "into one") for line in four.lines] == one.lines  # in the order of the inputs
    for name in tree("one"):
        np.testing.assert_array_equal(np.load(f"one/{name}"), np.load(f"four/{name}"))


def test_video(run: Run, segmenter: Segmenter, video: list[NDArray[np.uint8]]) -> None:
    result = run("segment", "clip.avi", "a.png", "-o", "out", "--format", "npy", "--format", "png16", "--format", "overlay", *FAST)
    assert (result.code, result.errors) == (0, [])
    assert f"clip.avi: 5 frames; {segmenter.plan(48, 64, 12)}" in result.lines
    labels = [f"clip/{i:06d}{suffix}" for i in range(5) for suffix in (".npy", "_labels.png")]
    assert tree() == sorted(["a.npy", "a_labels.png", "a_overlay.png", "clip/.ainet-frames.json", *labels, "clip_overlay.mp4"])
    for i, frame in enumerate(video):
        np.testing.assert_array_equal(np.load(f"out/clip/{i:06d}.npy"), segmenter(frame, 12))
    drawn = list(frames("out/clip_overlay.mp4"))
    assert len(drawn) == 5
    assert cv2.VideoCapture("out/clip_overlay.mp4").get(cv2.CAP_PROP_FPS) == 12
    for picture, frame in zip(drawn, video, strict=True):  # lossy, but closer to the overlay than to the frame
        overlay = ainet.overlay(frame, segmenter(frame, 12))
        assert np.abs(picture - overlay.astype(float)).mean() < 0.7 * np.abs(picture - frame.astype(float)).mean()


def test_every_page(run: Run, segmenter: Segmenter) -> None:
    photo = Image.open("a.png")
    pages = [photo, photo.rotate(90, expand=True), photo.rotate(180)]
    pages[0].save("stack.tif", save_all=True, append_images=pages[1:])
    pages[0].save("loop.gif", save_all=True, append_images=pages[2:])
    result = run("segment", "stack.tif", "loop.gif", "a.png", "-o", "out", *FAST)
    assert (result.code, result.errors) == (0, [])
    assert "stack.tif: 3 pages; 36 superpixels" in result.lines
    assert tree() == ["a.npy", "loop-0.npy", "loop-1.npy", "stack-0.npy", "stack-1.npy", "stack-2.npy"]
    np.testing.assert_array_equal(np.load("out/stack-1.npy"), segmenter(np.asarray(pages[1]), 12))
    photo.save("stack-1.png")
    result = run("segment", "stack.tif", "stack-1.png", "-o", "out2", *FAST)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "stack.tif would overwrite the results of stack-1.png" in result.errors[0]


def test_a_page_that_fails_leaves_the_others(run: Run, segmenter: Segmenter) -> None:
    """Too small, of 16 bits, of another kind: each is named by its number, and the pages behind it are segmented."""
    photo = np.asarray(Image.open("a.png"))
    for odd, message in ((photo[:10, :10], "16"), (photo.astype(np.uint16), "not of 8 bits"), (photo.astype(np.float32), "must lie in")):
        with tifffile.TiffWriter("x.tif") as writer:
            for page in (photo, odd, photo[::-1]):
                writer.write(page, photometric="rgb")
        result = run("segment", "x.tif", "-o", "out", *FAST)
        assert (result.code, len(result.errors)) == (1, 1)
        assert result.errors[0].startswith("error: 2 of 3 pages segmented; page 1: x.tif")
        assert message in result.errors[0]
        assert tree() == ["x-0.npy", "x-2.npy"]
        np.testing.assert_array_equal(np.load("out/x-2.npy"), segmenter(photo[::-1], 12))
        shutil.rmtree("out")
    with tifffile.TiffWriter("x.tif") as writer:
        for _ in range(6):
            writer.write(photo.astype(np.uint16), photometric="rgb")
    error = run("segment", "x.tif", "-o", "out", *FAST).errors[0]
    assert error.startswith("error: 0 of 6 pages segmented; page 0: x.tif is not of 8 bits")
    assert error.endswith("; and 3 more")


def test_deep_images_and_bands(run: Run, segmenter: Segmenter) -> None:
    deep = np.asarray(Image.open("a.png")).astype(np.uint16) * 16
    tifffile.imwrite("deep.tif", np.dstack([deep, deep[:, :, 0]]), photometric="minisblack", planarconfig="contig")
    assert "choose one or three with bands= (--bands)" in run("segment", "deep.tif", "-o", "out", *FAST).errors[0]
    assert "stretch= (--stretch)" in run("segment", "deep.tif", "-o", "out", "--bands", "3,2,1", *FAST).errors[0]
    bands = ("--bands", "3", "--bands", "2,1")  # as "3,2,1"
    result = run("segment", "deep.tif", "-o", "out", *bands, "--stretch", "0,4080", *FAST)
    assert (result.code, result.errors) == (0, [])
    np.testing.assert_array_equal(np.load("out/deep.npy"), segmenter(np.asarray(Image.open("a.png"))[:, :, ::-1], 12))
    for options, message in ((("--stretch", "5,1"), "no range"), (("--stretch", "loud"), "'loud'"), (("--bands", "0"), "'0'")):
        result = run("segment", "deep.tif", "-o", "out2", *options, *FAST)
        assert result.code == 2
        assert message in result.errors[0]


def test_own_results_are_no_inputs(run: Run, video: list[NDArray[np.uint8]]) -> None:
    """The same run twice, into the folder of the inputs and below it, does the same."""
    formats = [option for kind in Format if kind is not Format.LABELME for option in ("--format", kind)]  # labelme opens no videos
    for out in (".", "out"):
        first = run("segment", ".", "-o", out, *formats, *FAST)
        written = tree(".")
        again = run("segment", ".", "-o", out, *formats, *FAST)
        assert (first.code, again.code) == (0, 0)
        assert tree(".") == written
        assert "3 of 3 inputs" in first.lines[-1]
        assert "3 of 3 inputs" in again.lines[-1]
        assert "results of ainet segment" in again.lines[0]


def test_what_a_folder_holds_besides(run: Run) -> None:
    for name in ("._a.png", "notes.txt"):
        Path(name).touch()
    Path("more").symlink_to(".")
    result = run("segment", ".", "-o", "out", *FAST)
    assert result.lines[0].startswith(".: left out 1 hidden (._a.png), 1 of another kind (notes.txt), 1 links to folders")
    assert tree() == ["a.npy", "b.npy"]


def test_frames_never_replace_a_folder(run: Run, video: list[NDArray[np.uint8]]) -> None:
    Path("out/clip").mkdir(parents=True)
    Path("out/clip/mine").write_text("precious")
    result = run("segment", "clip.avi", "a.png", "-o", "out", *FAST)
    assert result.code == 1
    assert result.errors == ["error: cannot write out/clip: it is there already; remove it, or choose another place"]
    assert tree() == ["a.npy", "clip/mine"]


def test_exact_counts_and_the_plain_grid(run: Run, segmenter: Segmenter) -> None:
    assert run("segment", "a.png", "-o", "exact", "--device", "cpu", "--regions", "20").lines[0].endswith("; 20 superpixels")
    assert np.load("exact/a.npy").max() == 19
    assert run("segment", "a.png", "-o", "plain", "--device", "cpu", "-n", "20", "--quality", "fast").code == 0
    np.testing.assert_array_equal(np.load("plain/a.npy"), segmenter(ainet.read_image("a.png"), 20, quality="fast"))
    assert run("segment", "a.png", "-o", "plain", "--quality", "good").errors == ["error: unknown quality 'good'; choose one of best, fast"]


def test_a_result_that_cannot_be_written_leaves_the_others(run: Run) -> None:
    Path("out/a.csv").mkdir(parents=True)
    result = run("segment", "a.png", "-o", "out", "--format", "csv", "--format", "npy", *FAST)
    assert result.code == 1 and "out/a.csv" in " ".join(result.errors)
    assert np.load("out/a.npy").shape == ainet.read_image("a.png").shape[:2]
