"""`ainet segment` on everything it cannot use: one line each, an exit code, the rest still done, nothing half-written."""

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.command_line import FAST, Run, ainet_process, refused, tree
from support.paths import PHOTOS
from support.pngs import png_header

from ainet.cli.outputs import Format, write
from ainet.errors import NO_MEMORY, ImageError
from ainet.models import bundled

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.slow
def test_libraries_say_nothing_of_damaged_inputs(video: list[NDArray[np.uint8]]) -> None:
    data = Path("clip.avi").read_bytes()
    Path("text.mp4").write_text("not a video")
    Path("empty.mkv").touch()
    Path("head.avi").write_bytes(data[:600])
    Path("part.avi").write_bytes(data[: len(data) * 3 // 5])
    Path("huge.png").write_bytes(png_header(10_000, 10_000))
    names = ("text.mp4", "empty.mkv", "head.avi", "huge.png", "part.avi")
    # A process of its own: FFmpeg takes its log level but once, and pytest swallows the warnings of Pillow.
    process = ainet_process("segment", *names, "-o", "out", *FAST, "--format", "overlay", "--format", "npy", stdout=subprocess.PIPE)
    out, err = process.communicate()
    assert process.returncode == 1
    advice = "damaged, or a codec that OpenCV lacks; re-encode it as H.264 MP4"
    assert err.splitlines() == [
        f"error: no frame can be read from text.mp4: {advice}",
        "error: empty.mkv is not a video: it is empty; fetch it again",
        f"error: no frame can be read from head.avi: {advice}",
        "error: huge.png has 10000x10000 pixels, more than 67 megapixels; scale it down, cut it, or save it as a TIFF file in tiles, "
        "which may have 1,074 megapixels",
    ]
    assert out.startswith("part.avi: ")
    assert "frames of 5 announced; 48x64 image" in out
    assert {name.partition("/")[0] for name in tree()} == {"part", "part_overlay.mp4"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment", "", "-o", "out"),
        ("segment", "a.png", "-o", ""),
        ("segment", "a.png", "--out="),
        ("segment", "a.png", "-o", "out", "--model", ""),
        ("train", "ainet", "--images", "", "--labels", "l", "-o", "out"),
        ("eval", "", "--bsds", "b"),
        ("bench", "throughput", "", "-o", "out.json"),
        ("info", ""),
    ],
)
def test_empty_arguments_are_not_this_folder(run: Run, arguments: tuple[str, ...]) -> None:
    assert "an argument is empty" in refused(run, *arguments, code=2)


def test_a_name_that_no_file_system_takes(run: Run) -> None:
    """Is one that is not there, and the others are still done."""
    long = "x" * 300
    result = run("segment", f"{long}.png", f"{long}*", f"{long}/a.png", "a.png", "-o", "out", *FAST)
    assert result.code == 1
    assert [line.partition("error: cannot read ")[2][:300] for line in result.errors] == [long] * 3
    assert tree() == ["a.npy"]
    for device in ("cpu", "openvino", "torch"):
        for name in (long, f"{long}.onnx", f"{long}.pt"):
            result = run("segment", "a.png", "-o", "out2", "--model", name, "--device", device)
            assert (result.code, len(result.errors)) == (1, 1)
            assert long in result.errors[0]
            assert "Errno" not in result.errors[0]


@pytest.mark.parametrize("jobs", [1, 3])
def test_bad_images_do_not_stop_the_batch(run: Run, jobs: int) -> None:
    bad = {
        "cut.jpg": "cut.jpg is damaged or cut off",
        "half.png": "half.png is damaged or cut off",
        "text.jpg": "text.jpg is not an image that can be read; convert it",
        "empty.png": "empty.png is not an image",
        "deep.png": "deep.png is not of 8 bits: uint16 values from 0 to 0; say with stretch= (--stretch)",
        "deeprgb.png": "deeprgb.png is not of 8 bits: uint16 values from 0 to 0; say",
        "cmyk.jpg": "cmyk.jpg is in CMYK colours without a profile that says what they look like; convert it",
        "dot.png": "dot.png: an image of 1x1 is too small",
        "huge.png": "huge.png has 10000x10000 pixels, more than 67 megapixels; scale it",
        "gone.png": "cannot read gone.png: no such file; check the path",
        "gone*.png": "cannot read gone*.png: no such file; check the path",
        "dangling.png": "cannot read dangling.png: a link to gone.png, which is not there",
        "nothing": "the folder nothing holds no images; known are .apng",
        "deep": "deep/a.jpg would overwrite the results of a.png; rename one, or use another output folder",
    }
    photo = Image.open("a.png")
    Path("cut.jpg").write_bytes(Path("b.jpg").read_bytes()[:-300])
    Path("half.png").write_bytes(Path("a.png").read_bytes()[:-300])
    Path("text.jpg").write_text("not a picture")
    Path("empty.png").touch()
    cv2.imwrite("deep.png", np.zeros((48, 64), np.uint16))
    cv2.imwrite("deeprgb.png", np.zeros((48, 64, 3), np.uint16))
    photo.convert("CMYK").save("cmyk.jpg")
    photo.crop((0, 0, 1, 1)).save("dot.png")
    Path("huge.png").write_bytes(png_header(10_000, 10_000))
    Path("dangling.png").symlink_to("gone.png")
    Path("nothing").mkdir()
    Path("deep").mkdir()
    shutil.copy("b.jpg", "deep/a.jpg")
    result = run("segment", "a.png", *bad, "b.jpg", "-o", "out", *FAST, "--format", "npy", "--format", "overlay", "--jobs", jobs)
    assert result.code == 2  # for the last one
    assert len(result.errors) == len(bad)
    for message in bad.values():
        assert sum(f"error: {message}" in line for line in result.errors) == 1, message
    assert result.lines[-1] == f"2 of {len(bad) + 2} inputs segmented into out on ONNX Runtime (CPU)"
    assert tree() == ["a.npy", "a_overlay.png", "b.npy", "b_overlay.png"]


def test_names_that_are_not_utf8(run: Run) -> None:
    name = os.fsdecode(b"\xff\xe9")
    shutil.copy("a.png", f"{name}.png")
    result = run("segment", f"{name}.png", f"{name}.jpg", "-o", "out", *FAST)
    assert result.code == 1
    assert len(result.errors) == 1
    assert result.errors[0].endswith(".jpg: no such file; check the path")
    assert result.lines[0].startswith(r"\udcff\udce9.png: 48x64 image")
    assert tree() == [f"{name}.npy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-n", "0"], "n_segments=0 is out of range: choose 1 to a quarter of the image's pixels"),
        (["-n", "-5"], "n_segments=-5 is out of range"),
        (["-n", "769"], "a.png: n_segments=769 is out of range: choose 1 to 768, a quarter of the pixels of a 48x64 image"),
        (["-n", "100000"], "a.png: n_segments=100000 is out of range"),
        (["-n", "12", "--scale", "1"], "--n-segments contradicts --scale and --protocol; give the one or the other"),
        (["--scale", "0"], "scale must be a positive number, not 0.0"),
        (["--scale", "nan"], "scale must be a positive number, not nan"),
        (["--scale", "20"], "a.png: scale=20 gives 4800 superpixels for a 48x64 image; choose a scale that gives 4 to 768"),
        (["--protocol", "private"], "unknown protocol 'private'; the one there is: 'public'"),
        (["--protocol", "public"], "a.png: protocol='public' is defined for images of 321x481, 481x321, 448x608, not 48x64"),
        (["--format", "jpg"], "unknown format 'jpg'; choose npy, png16, csv, overlay, geojson, labelme"),
        (["--device", "gpu"], "unknown device 'gpu'; choose auto, cpu, cuda"),
    ],
)
def test_wrong_usage(run: Run, options: list[str], message: str) -> None:
    result = run("segment", "a.png", "-o", "out", "--device", "cpu", *options)
    assert result.code == 2
    assert len(result.errors) == 1
    assert result.errors[0].startswith(f"error: {message}")
    assert not Path("out").exists()


def test_wrong_usage_for_one_input_does_not_stop_the_others(run: Run) -> None:
    Image.open(PHOTOS / "coffee.jpg").crop((0, 0, 20, 20)).save("small.png")
    result = run("segment", "small.png", "a.png", "-o", "out", "--device", "cpu", "-n", "200")
    assert result.code == 2
    assert result.errors == ["error: small.png: n_segments=200 is out of range: choose 1 to 100, a quarter of the pixels of a 20x20 image"]
    assert tree() == ["a.npy"]


def test_unusable_devices_and_models(run: Run) -> None:
    Path("bad.onnx").write_bytes(bundled("ainet.onnx").read_bytes()[:5000])
    shutil.copy("a.png", "model.pt")
    for options, message in (
        (["--device", "cuda:99"], "cuda"),
        (["--device", "torch:nonsense"], "PyTorch cannot use the device 'nonsense'"),
        (["--model", "gone.onnx"], "no model file at gone.onnx; make one with: ainet export CHECKPOINT -o gone.onnx"),
        (["--model", "bad.onnx"], "cannot load bad.onnx"),
        (["--model", "bad.onnx", "--device", "cpu"], "cannot load bad.onnx"),
        (["--model", "model.pt"], "model.pt is not an ONNX file; make one with: ainet export model.pt -o model.onnx"),
        (["--model", "model.pt", "--device", "torch"], "model.pt"),
    ):
        result = run("segment", "a.png", "-o", "out", *options)
        assert result.code == 1
        assert len(result.errors) == 1
        assert message.lower() in result.errors[0].lower()
        assert not Path("out").exists()


def test_unwritable_outputs(run: Run, video: list[NDArray[np.uint8]]) -> None:
    Path("file").touch()
    for out in ("file", "file/below", "/dev/null/x", "x" * 300):
        result = run("segment", "a.png", "clip.avi", "-o", out, *FAST, "--format", "npy", "--format", "overlay")
        assert result.code == 1
        assert [line.partition("cannot write ")[2][: len(out)] for line in result.errors] == [out, out]
        assert result.lines[-1].startswith("0 of 2 inputs")
    assert sorted(tree(".")) == ["a.png", "b.jpg", "clip.avi", "file"]


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [["npy"], ["csv"], ["png16", "overlay"], ["overlay"]])
def test_full_disk(video: list[NDArray[np.uint8]], kinds: list[str]) -> None:
    """Files may grow to 3,000 bytes: nothing that was cut off stays."""
    formats = [option for kind in kinds for option in ("--format", kind)]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # noqa: E731
    process = ainet_process("segment", "a.png", "clip.avi", "-o", "out", *FAST, *formats, stdout=subprocess.DEVNULL, preexec_fn=limit)
    _, err = process.communicate()
    assert process.returncode == 1
    assert len(err.splitlines()) == 2
    assert all(line.startswith("error: cannot write ") for line in err.splitlines())
    assert not [name for name in tree() if not name.endswith("_labels.png")]  # those are small enough


@pytest.mark.slow
def test_full_terminal() -> None:
    with Path("/dev/full").open("w") as full:
        process = ainet_process("segment", "a.png", "-o", "out", *FAST, stdout=full)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err == "error: cannot go on: [Errno 28] No space left on device\n"


@pytest.mark.slow
def test_nobody_reads_on() -> None:
    """As in `ainet segment ... | head -1`: not a word, and the exit code of a program that SIGPIPE ends."""
    for i in range(6):
        shutil.copy("a.png", f"{i}.png")
    process = ainet_process("segment", *(f"{i}.png" for i in range(6)), "-o", "out", *FAST, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("0.png: ")
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 141
    assert all(np.load(f"out/{name}").shape == (48, 64) for name in tree())


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption(sent: signal.Signals, code: int) -> None:
    Path("many").mkdir()
    for i in range(400):
        Path(f"many/{i}.png").symlink_to("../a.png")
    process = ainet_process(
        "segment", "many", "-o", "out", *FAST, "--jobs", "2", "--format", "csv", "--format", "npy", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert "superpixels" in process.stdout.readline()
    process.send_signal(sent)
    _, err = process.communicate()
    assert (process.returncode, err) == (code, "")
    assert 1 <= len(tree()) < 800
    for name in tree():
        assert (np.load(f"out/{name}") if name.endswith("npy") else np.loadtxt(f"out/{name}", delimiter=",")).shape == (48, 64)


def test_inputs_are_never_overwritten(run: Run) -> None:
    shutil.copy("b.jpg", "a_overlay.png")
    before = Path("a_overlay.png").read_bytes()
    result = run("segment", "a.png", "a_overlay.png", "-o", ".", *FAST, "--format", "overlay")
    assert (result.code, result.errors) == (1, ["error: cannot write a_overlay.png: it is one of the inputs; choose another output folder"])
    assert Path("a_overlay.png").read_bytes() == before
    assert Path("a_overlay_overlay.png").is_file()


def test_pipes_and_hidden_files_are_not_opened(run: Run) -> None:
    os.mkfifo("pipe.jpg")
    Path("photos/.cache").mkdir(parents=True)
    for name in ("a.png", "._a.png", ".cache/a.png"):
        shutil.copy("a.png", f"photos/{name}")
    result = run("segment", "pipe.jpg", "photos", "-o", "out", *FAST)
    assert (result.code, result.errors) == (1, ["error: cannot read pipe.jpg: not a regular file; check the path"])
    assert tree() == ["a.npy"]


@pytest.mark.parametrize(
    ("fault", "message"), [(ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"), (MemoryError(), NO_MEMORY)]
)
def test_a_fault_for_one_input_does_not_stop_the_others(run: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception, message: str) -> None:
    def faulty(path: Path, **options: object) -> list[tuple[str, NDArray[np.uint8]]]:
        if path.name == "a.png":
            raise fault
        return [("", np.zeros((48, 64, 3), np.uint8))]

    monkeypatch.setattr("ainet.images.read_pages", faulty)
    result = run("segment", "a.png", "b.jpg", "-o", "out", *FAST)
    assert (result.code, result.errors) == (1, [f"error: a.png: {message}"])
    assert tree() == ["b.npy"]


def test_an_overlay_too_wide_for_png(tmp_path: Path) -> None:
    labels = np.zeros((16, 1_100_000), np.int32)
    with pytest.raises(ImageError, match=r"cannot write .*x\.png: 16x1100000 is too large for a PNG"):
        write(tmp_path / "out/x.png", Format.OVERLAY, np.zeros((16, 1, 3), np.uint8), labels, tmp_path / "x.jpg")
    assert not (tmp_path / "out").exists()
