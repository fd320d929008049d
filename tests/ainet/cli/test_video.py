"""Videos: their sizes and times are kept, and results replace earlier results and nothing else."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.command_line import FAST, Run, frames, tree
from support.paths import PHOTOS

import ainet
from ainet import Segmenter
from ainet.cli.mp4 import set_times
from ainet.errors import OutputError

pytestmark = pytest.mark.usefixtures("folder")


def times(path: str) -> list[float]:
    """When FFmpeg shows each frame, in milliseconds."""
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    found = []
    while capture.read()[0]:
        found.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    return found


def clip(path: str, rate: float, height: int, width: int, count: int = 4) -> None:
    photo = cv2.imread(str(PHOTOS / "chelsea.jpg"))[50 : 50 + height, 80 : 80 + width]
    if height % 2 or width % 2:  # OpenCV's own writer of AVI takes odd sizes
        writer = cv2.VideoWriter(path, cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate, (width, height))
    else:
        writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate, (width, height))
    assert writer.isOpened()
    for number in range(count):
        writer.write(np.roll(photo, 6 * number, 1))
    writer.release()


def mp4(path: str, times: list[float], end: float, aspect: tuple[int, int] = (1, 1)) -> None:
    """A video of 48 x 64 with these times, in seconds."""
    clip("even.avi", 25, 48, 64, len(times))
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    for frame in frames("even.avi"):
        writer.write(frame)
    writer.release()
    set_times(Path(path), times, end, (48, 64), aspect)


@pytest.mark.parametrize(("height", "width"), [(121, 161), (120, 161), (121, 160), (129, 177), (64, 33)])
def test_odd_sizes(run: Run, segmenter: Segmenter, height: int, width: int) -> None:
    clip("clip.avi", 10, height, width)
    sources = list(frames("clip.avi"))
    assert sources[0].shape == (height, width, 3)
    assert run("segment", "clip.avi", "-o", "out", "--format", "overlay", *FAST).code == 0
    drawn = list(frames("out/clip_overlay.mp4"))
    assert [frame.shape for frame in drawn] == [(height, width, 3)] * 4
    for picture, frame in zip(drawn, sources, strict=True):
        expected = ainet.overlay(frame, segmenter(frame, 12)).astype(float)
        for part in (np.s_[:], np.s_[-2:], np.s_[:, -2:]):  # the last row and column are those of the frame
            assert np.abs(picture[part] - expected[part]).mean() < 24


@pytest.mark.parametrize("rate", [0.5, 7.5, 24000 / 1001, 1000])
def test_rates(run: Run, rate: float) -> None:
    clip("clip.avi", rate, 48, 64)
    assert run("segment", "clip.avi", "-o", "out", "--format", "overlay", *FAST).code == 0
    np.testing.assert_allclose(times("out/clip_overlay.mp4"), [1000 * number / rate for number in range(4)], atol=0.01, rtol=1e-4)
    assert cv2.VideoCapture("out/clip_overlay.mp4").get(cv2.CAP_PROP_FPS) == pytest.approx(rate, rel=1e-3)


def test_variable_rates(run: Run) -> None:
    """FFmpeg knows an animated GIF by its content, whatever its name."""
    photo = Image.open("a.png")
    pictures = [photo.rotate(10 * number) for number in range(6)]
    pictures[0].save("clip.gif", save_all=True, append_images=pictures[1:], duration=[100, 500, 40, 1000, 60, 200])
    Path("clip.gif").rename("clip.mkv")
    expected = [0, 100, 600, 640, 1640, 1700]
    np.testing.assert_allclose(times("clip.mkv"), expected)
    assert run("segment", "clip.mkv", "-o", "out", "--format", "overlay", *FAST).code == 0
    np.testing.assert_allclose(times("out/clip_overlay.mp4"), expected, atol=0.01)


def shape_pixels(path: str) -> tuple[float, float]:
    """Width and height of a pixel, as FFmpeg reads them."""
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    return capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)


@pytest.mark.parametrize("aspect", [(2, 1), (10, 11), (1, 1)])
def test_pixels_that_are_not_square(run: Run, aspect: tuple[int, int]) -> None:
    mp4("clip.mp4", [0, 0.1, 0.2, 0.3], 0.4, aspect)
    assert shape_pixels("clip.mp4") == aspect
    assert run("segment", "clip.mp4", "-o", "out", "--format", "overlay", *FAST).code == 0
    assert shape_pixels("out/clip_overlay.mp4") == shape_pixels("clip.mp4")
    assert [frame.shape for frame in frames("out/clip_overlay.mp4")] == [(48, 64, 3)] * 4


def test_a_repeated_time_costs_no_other(run: Run) -> None:
    mp4("clip.mp4", [0, 0.04, 0.5, 0.5, 2, 2.04], 2.1)
    assert times("clip.mp4") == [0, 40, 500, 500, 2000, 2040]
    assert run("segment", "clip.mp4", "-o", "out", "--format", "overlay", *FAST).code == 0
    shown = times("out/clip_overlay.mp4")
    np.testing.assert_allclose(shown[:3] + shown[4:], [0, 40, 500, 2000, 2040], atol=0.01)
    assert 500 < shown[3] < 2000


def test_kinds_of_videos(run: Run, video: list[NDArray[np.uint8]]) -> None:
    """FFmpeg knows them by their content. In a folder .ts is TypeScript, unless it is named."""
    Path("in").mkdir()
    for suffix in ("ts", "mpg", "WMV", "flv", "3gp", "ogv"):
        Path("in", f"{suffix}.{suffix}").symlink_to("../clip.avi")
    result = run("segment", "in", "-o", "out", "--format", "overlay", *FAST)
    assert (result.code, result.errors) == (0, [])
    assert tree() == [f"{suffix}_overlay.mp4" for suffix in ("3gp", "WMV", "flv", "mpg", "ogv")]
    assert "left out 1 of another kind (ts.ts)" in result.lines[0]
    assert run("segment", "in/ts.ts", "-o", "out2", *FAST).lines[0].startswith("in/ts.ts: 5 frames")


def test_a_video_of_one_frame(run: Run) -> None:
    clip("clip.avi", 5, 48, 64, count=1)
    assert run("segment", "clip.avi", "-o", "out", "--format", "overlay", *FAST).code == 0
    assert times("out/clip_overlay.mp4") == [0]


def test_times_of_a_long_video(tmp_path: Path) -> None:
    """Durations have 32 bits: above 9 hours they are counted in milliseconds."""
    writer = cv2.VideoWriter("x.mp4", cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    set_times(Path("x.mp4"), [0, 3600, 20 * 3600], 21 * 3600, (48, 64))
    assert times("x.mp4") == [0, 3_600_000, 72_000_000]
    Path("y.mp4").write_bytes(Path("x.mp4").read_bytes()[:-10])
    with pytest.raises(OutputError, match="index"):
        set_times(Path("y.mp4"), [0, 1, 2], 3, (48, 64))


def test_results_of_videos_replace_earlier_results(run: Run, segmenter: Segmenter, video: list[NDArray[np.uint8]]) -> None:
    for count in ("20", "12"):
        result = run("segment", "clip.avi", "-o", "out", "--device", "cpu", "-n", count, "--format", "npy", "--format", "overlay")
        assert (result.code, result.errors) == (0, [])
    assert tree() == ["clip/.ainet-frames.json", *(f"clip/{number:06}.npy" for number in range(5)), "clip_overlay.mp4"]
    np.testing.assert_array_equal(np.load("out/clip/000004.npy"), segmenter(video[4], 12))


def test_a_video_of_others_is_not_replaced(run: Run) -> None:
    """Not in the place of an overlay either: it is refused by name, and the others are segmented."""
    clip("clip.avi", 10, 48, 64)
    mp4("own.mp4", [0, 0.1], 0.2)
    Path("out").mkdir()
    for content in (Path("own.mp4").read_bytes(), b"", b"free"):
        Path("out/clip_overlay.mp4").write_bytes(content)
        result = run("segment", "clip.avi", "own.mp4", "-o", "out", "--format", "overlay", *FAST)
        assert (result.code, len(result.errors)) == (2, 1)
        assert result.errors[0].startswith("error: cannot write out/clip_overlay.mp4: the file there is no result of ainet segment")
        assert Path("out/clip_overlay.mp4").read_bytes() == content
        assert len(list(frames("out/own_overlay.mp4"))) == 2


def test_inputs_are_not_replaced(run: Run, video: list[NDArray[np.uint8]]) -> None:
    Path("clip").mkdir()
    Image.open("a.png").save("clip/000000_labels.png")
    clip("clip_overlay.mp4", 5, 48, 64)
    before = Path("clip_overlay.mp4").read_bytes()
    result = run("segment", "clip.avi", "clip/000000_labels.png", "clip_overlay.mp4", "-o", ".", *FAST, "--format", "overlay")
    assert result.code == 1
    assert result.errors == ["error: cannot write clip_overlay.mp4: it is one of the inputs; choose another output folder"]
    assert Path("clip_overlay.mp4").read_bytes() == before
    result = run("segment", "clip.avi", "clip/000000_labels.png", "-o", ".", *FAST)
    assert result.errors == ["error: cannot write clip: it is there already; remove it, or choose another place"]


def test_a_folder_of_the_name_of_a_video(run: Run, video: list[NDArray[np.uint8]]) -> None:
    Path("in/clip").mkdir(parents=True)
    Path("clip.avi").rename("in/clip.avi")
    Path("a.png").rename("in/clip/000000.png")
    result = run("segment", "in", "-o", "out", *FAST)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "in/clip/000000.png would overwrite the results of in/clip.avi" in result.errors[0]
    assert tree() == ["clip/.ainet-frames.json", *(f"clip/{number:06}.npy" for number in range(5))]


def test_label_maps_in_other_formats_stay(run: Run) -> None:
    clip("clip.avi", 10, 48, 64)
    assert run("segment", "clip.avi", "-o", "out", "--format", "npy", *FAST).code == 0
    first = {path.name: path.read_bytes() for path in Path("out/clip").glob("*.npy")}
    assert len(first) == 4
    clip("clip.avi", 10, 48, 64, count=3)
    assert run("segment", "clip.avi", "-o", "out", "--format", "csv", *FAST).code == 0
    both = {path.name: path.read_bytes() for path in Path("out/clip").glob("[!.]*")}
    assert both.keys() == {f"00000{number}.{kind}" for number in range(3) for kind in ("npy", "csv")}  # a fourth frame is no more
    assert all(first[name] == both[name] for name in both.keys() & first.keys())
    assert run("segment", "clip.avi", "-o", "out", "--format", "npy", *FAST).code == 0
    names = sorted(path.name for path in Path("out/clip").glob("[!.]*"))
    assert names == sorted(f"00000{number}{ending}" for number in range(3) for ending in (".csv", ".npy"))


def test_label_maps_that_were_changed_since_are_not_replaced(run: Run) -> None:
    clip("clip.avi", 10, 48, 64)
    assert run("segment", "clip.avi", "-o", "out", "--format", "npy", *FAST).code == 0
    painted = np.load("out/clip/000001.npy") + 1
    np.save("out/clip/000001.npy", painted)
    result = run("segment", "clip.avi", "-o", "out", "--format", "npy", *FAST)
    assert result.code == 1 and "out/clip" in " ".join(result.errors)
    np.testing.assert_array_equal(np.load("out/clip/000001.npy"), painted)


@pytest.mark.parametrize(("name", "content"), [("000000.json", b'{"shapes": []}'), ("000000.csv", b"1,2\n"), ("000001.npy", b"mine")])
def test_own_files_named_like_frames_are_not_replaced(run: Run, name: str, content: bytes) -> None:
    clip("clip.avi", 10, 48, 64)
    Path("out/clip").mkdir(parents=True)
    Path("out/clip", name).write_bytes(content)
    result = run("segment", "clip.avi", "-o", "out", "--format", "npy", *FAST)
    assert result.code == 1 and "out/clip" in " ".join(result.errors)
    assert tree("out") == [f"clip/{name}"] and Path("out/clip", name).read_bytes() == content


@pytest.mark.parametrize("reading", [("--stretch", "0,100"), ("--bands", "3,2,1")])
def test_how_images_are_read_is_not_ignored_for_videos(run: Run, reading: tuple[str, str]) -> None:
    clip("clip.avi", 10, 48, 64)
    result = run("segment", "clip.avi", "-o", "out", *reading, *FAST)
    assert result.code != 0 and reading[0] in " ".join(result.errors)
    assert not Path("out/clip").exists()


def test_what_is_no_video(run: Run) -> None:
    clip("clip.avi", 10, 48, 64)
    Path("clip.avi").rename("clip.png")
    Path("empty.mp4").touch()
    Path("page.mp4").write_bytes(b"<!DOCTYPE html><html></html>")
    for name, words in {"empty.mp4": "it is empty", "page.mp4": "it is a web page", "clip.png": "clip.png is a video"}.items():
        result = run("segment", name, "-o", "out", *FAST)
        assert result.code == 1 and words in " ".join(result.errors)
