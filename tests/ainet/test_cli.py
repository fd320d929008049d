"""The command line: every input, format and option by what it writes, and every bad input by one line and an exit code."""

import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ainet
from ainet import Segmenter
from ainet.cli import main
from ainet.cli.outputs import Format, write
from ainet.errors import OutputError
from ainet.segmenter import bundled

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"
FAST = ("--device", "cpu", "-n", "12")  # for images of 48 x 64


@dataclass
class Result:
    code: int
    lines: list[str]
    errors: list[str]


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `ainet ARGUMENTS...` in this process; engines that write to the file descriptors are caught too."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["ainet", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(int(end.value.code or 0), out.splitlines(), err.splitlines())

    return call


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own with two pictures: a.png and b.jpg."""
    monkeypatch.chdir(tmp_path)
    photo = Image.open(PHOTOS / "chelsea.jpg")
    photo.crop((100, 60, 164, 108)).save("a.png")
    photo.crop((180, 80, 244, 128)).save("b.jpg")
    return tmp_path


@pytest.fixture(scope="module")
def segmenter() -> Iterator[Segmenter]:
    with Segmenter.load(device="cpu") as opened:
        yield opened


def tree(folder: str = "out") -> list[str]:
    """Every file below `folder`, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def expected(segmenter: Segmenter, path: str) -> NDArray[np.int32]:
    return segmenter(ainet.read_image(path), 12)


def test_every_format(run: Run, segmenter: Segmenter) -> None:
    formats = [option for kind in Format for option in ("--format", kind)]
    result = run("segment", "a.png", "-o", "out", *formats, *FAST)
    labels = expected(segmenter, "a.png")
    assert result.code == 0
    assert result.errors == []
    assert result.lines == [
        f"a.png: 48x64 image, 12 cells at working size 48x64; {labels.max() + 1} superpixels",
        "1 of 1 inputs segmented into out on ONNX Runtime (CPU)",
    ]
    assert tree() == ["a.csv", "a.npy", "a_labels.png", "a_overlay.png"]
    assert np.load("out/a.npy").dtype == np.int32
    png = cv2.imread("out/a_labels.png", cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    for written in (np.load("out/a.npy"), png, np.loadtxt("out/a.csv", np.int32, delimiter=",")):
        np.testing.assert_array_equal(written, labels)
    np.testing.assert_array_equal(ainet.read_image("out/a_overlay.png"), ainet.overlay(ainet.read_image("a.png"), labels))


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


def test_results_are_replaced(run: Run, segmenter: Segmenter) -> None:
    run("segment", "a.png", "-o", "out", "--device", "cpu", "-n", "30")
    run("segment", "a.png", "-o", "out", *FAST)
    assert tree() == ["a.npy"]
    np.testing.assert_array_equal(np.load("out/a.npy"), expected(segmenter, "a.png"))


def test_scale_protocol_and_model(run: Run, segmenter: Segmenter) -> None:
    image = ainet.read_image("a.png")
    assert run("segment", "a.png", "-o", "out", "--scale", "0.75", "--device", "cpu", "--model", bundled("ainet.onnx")).code == 0
    np.testing.assert_array_equal(np.load("out/a.npy"), segmenter(image, scale=0.75))
    Image.open(PHOTOS / "astronaut.jpg").crop((0, 0, 481, 321)).save("bsds.png")
    assert run("segment", "bsds.png", "-o", "out", "--protocol", "public", "--scale", "0.3", "--device", "cpu").code == 0
    np.testing.assert_array_equal(np.load("out/bsds.npy"), segmenter(ainet.read_image("bsds.png"), scale=0.3, protocol="public"))


def test_jobs(run: Run) -> None:
    for i in range(12):
        shutil.copy("ab"[i % 2] + (".png", ".jpg")[i % 2], f"{i}.{('png', 'jpg')[i % 2]}")
    one = run("segment", "*[0-9].*", "-o", "one", *FAST)
    four = run("segment", "*[0-9].*", "-o", "four", *FAST, "--jobs", "4")
    assert one.code == four.code == 0
    assert tree("one") == tree("four")
    assert len(tree("one")) == 12
    assert sorted(line.replace("into four", "into one") for line in four.lines) == sorted(one.lines)
    for name in tree("one"):
        np.testing.assert_array_equal(np.load(f"one/{name}"), np.load(f"four/{name}"))


@pytest.fixture
def video(folder: Path) -> list[NDArray[np.uint8]]:
    """clip.avi of 5 frames, which are returned as decoded."""
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 12, (64, 48))
    assert writer.isOpened()
    for i in range(5):
        writer.write(np.roll(cv2.imread("a.png"), 5 * i, 1))
    writer.release()
    return list(frames("clip.avi"))


def frames(path: str) -> Iterator[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(path)
    while (read := capture.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)  # type: ignore[misc]


def test_video(run: Run, segmenter: Segmenter, video: list[NDArray[np.uint8]]) -> None:
    result = run("segment", "clip.avi", "a.png", "-o", "out", "--format", "npy", "--format", "png16", "--format", "overlay", *FAST)
    assert (result.code, result.errors) == (0, [])
    assert "clip.avi: 5 frames; 48x64 image, 12 cells at working size 48x64" in result.lines
    labels = [f"clip/{i:06d}{suffix}" for i in range(5) for suffix in (".npy", "_labels.png")]
    assert tree() == sorted(["a.npy", "a_labels.png", "a_overlay.png", *labels, "clip_overlay.mp4"])
    for i, frame in enumerate(video):
        np.testing.assert_array_equal(np.load(f"out/clip/{i:06d}.npy"), segmenter(frame, 12))
    drawn = list(frames("out/clip_overlay.mp4"))
    assert len(drawn) == 5
    assert cv2.VideoCapture("out/clip_overlay.mp4").get(cv2.CAP_PROP_FPS) == 12
    for picture, frame in zip(drawn, video, strict=True):  # lossy, but closer to the overlay than to the frame
        overlay = ainet.overlay(frame, segmenter(frame, 12))
        assert np.abs(picture - overlay.astype(float)).mean() < 0.7 * np.abs(picture - frame.astype(float)).mean()


def test_frames_never_replace_a_folder(run: Run, video: list[NDArray[np.uint8]]) -> None:
    Path("out/clip").mkdir(parents=True)
    Path("out/clip/mine").write_text("precious")
    result = run("segment", "clip.avi", "a.png", "-o", "out", *FAST)
    assert result.code == 1
    assert result.errors == ["error: cannot write out/clip: it is there already; remove it, or choose another place"]
    assert tree() == ["a.npy", "clip/mine"]


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
        *(f"error: no frame can be read from {name}: {advice}" for name in names[:3]),
        "error: huge.png has 10000x10000 pixels, more than 67 megapixels; scale it down or cut it",
    ]
    assert out.startswith("part.avi: ")
    assert "frames of 5 announced; 48x64 image" in out
    assert {name.partition("/")[0] for name in tree()} == {"part", "part_overlay.mp4"}


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"\x00\x00\x10\x00IDAT"


@pytest.mark.parametrize("jobs", [1, 3])
def test_bad_images_do_not_stop_the_batch(run: Run, jobs: int) -> None:
    bad = {
        "cut.jpg": "cut.jpg is damaged or cut off",
        "half.png": "half.png is damaged or cut off",
        "text.jpg": "text.jpg is not an image that can be read; convert it",
        "empty.png": "empty.png is not an image",
        "deep.png": "deep.png has more than 8 bits per channel; convert it",
        "deeprgb.png": "deeprgb.png has more than 8 bits per channel; convert it",
        "cmyk.jpg": "cmyk.jpg is in CMYK colours; convert it",
        "dot.png": "dot.png: an image of 1x1 is too small",
        "huge.png": "huge.png has 10000x10000 pixels, more than 67 megapixels; scale it",
        "gone.png": "cannot read gone.png: no such file; check the path",
        "gone*.png": "cannot read gone*.png: no such file; check the path",
        "dangling.png": "cannot read dangling.png: no such file; check the path",
        "nothing": "the folder nothing holds no images; known are .bmp",
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


def test_a_file_that_vanishes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ainet.cli import inputs

    collect = inputs.collect

    def collect_and_lose(patterns: list[str]) -> object:
        found = collect(patterns)
        Path("a.png").unlink()
        return found

    monkeypatch.setattr(inputs, "collect", collect_and_lose)
    result = run("segment", "a.png", "b.jpg", "-o", "out", *FAST)
    assert (result.code, result.errors) == (1, ["error: cannot read a.png: No such file or directory; check the path"])
    assert tree() == ["b.npy"]


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
        (["-n", "0"], "n_segments=0 is out of range: choose 4 to a quarter of the image's pixels"),
        (["-n", "-5"], "n_segments=-5 is out of range"),
        (["-n", "3"], "n_segments=3 is out of range"),
        (["-n", "769"], "a.png: n_segments=769 is out of range: choose 4 to 768, a quarter of the pixels of a 48x64 image"),
        (["-n", "100000"], "a.png: n_segments=100000 is out of range"),
        (["--scale", "0"], "scale must be a positive number, not 0.0"),
        (["--scale", "nan"], "scale must be a positive number, not nan"),
        (["--scale", "20"], "a.png: scale=20 gives 4800 superpixels for a 48x64 image; choose a scale that gives 4 to 768"),
        (["--protocol", "private"], "unknown protocol 'private'; the one there is: 'public'"),
        (["--protocol", "public"], "a.png: protocol='public' is defined for images of 321x481, 481x321, 448x608, not 48x64"),
        (["--format", "jpg"], "unknown format 'jpg'; choose npy, png16, csv, overlay"),
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
    assert result.errors == ["error: small.png: n_segments=200 is out of range: choose 4 to 100, a quarter of the pixels of a 20x20 image"]
    assert tree() == ["a.npy"]


def test_unusable_devices_and_models(run: Run) -> None:
    Path("bad.onnx").write_bytes(bundled("ainet.onnx").read_bytes()[:5000])
    shutil.copy("a.png", "model.pt")
    for options, message in (
        (["--device", "cuda:99"], "cuda"),
        (["--device", "torch:nonsense"], "PyTorch cannot use the device 'nonsense'"),
        (["--model", "gone.onnx"], "no model file at gone.onnx; make one with: ainet export CHECKPOINT -o gone.onnx"),
        (["--model", "bad.onnx"], "cannot load bad.onnx"),
        (["--model", "bad.onnx", "--device", "cpu"], "ONNX Runtime cannot load bad.onnx"),
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


def test_more_labels_than_16_bits_hold(tmp_path: Path) -> None:
    labels = np.arange(65_537, dtype=np.int32).reshape(1, -1)
    image = np.zeros((1, 65_537, 3), np.uint8)
    with pytest.raises(OutputError, match=r"x.png: 65537 superpixels do not fit into a 16-bit PNG; use --format npy"):
        write(tmp_path / "out" / "x.png", Format.PNG16, image, labels)
    assert not Path("out").exists()
    write(tmp_path / "out" / "x.png", Format.PNG16, image[:, 1:], labels[:, :-1])
    assert cv2.imread("out/x.png", cv2.IMREAD_UNCHANGED).max() == 65_535


def ainet_process(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "ainet", *arguments], stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]


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


def test_full_terminal() -> None:
    with Path("/dev/full").open("w") as full:
        process = ainet_process("segment", "a.png", "-o", "out", *FAST, stdout=full)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err == "error: cannot go on: [Errno 28] No space left on device\n"


def test_interruption() -> None:
    Path("many").mkdir()
    for i in range(400):
        Path(f"many/{i}.png").symlink_to("../a.png")
    process = ainet_process(
        "segment", "many", "-o", "out", *FAST, "--jobs", "2", "--format", "csv", "--format", "npy", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert "superpixels" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    assert 1 <= len(tree()) < 800
    for name in tree():
        assert (np.load(f"out/{name}") if name.endswith("npy") else np.loadtxt(f"out/{name}", delimiter=",")).shape == (48, 64)


def test_info(run: Run) -> None:
    result = run("info", bundled("ainet.onnx"))
    assert (result.code, result.errors) == (0, [])
    rows = dict(line.split(maxsplit=1) for line in result.lines)
    assert rows["network"] == "ainet"
    assert rows["output"] == "logits"
    assert len(rows["checkpoint_sha256"]) == 64
    pytest.importorskip("torch")
    result = run("info", bundled("ainet.safetensors"))
    checkpoint = dict(line.split(maxsplit=1) for line in result.lines)
    assert checkpoint["network"] == "ainet"
    assert checkpoint["sha256"] == rows["checkpoint_sha256"]


def test_export_info_and_segment(run: Run, segmenter: Segmenter) -> None:
    pytest.importorskip("onnxscript")
    result = run("export", "-o", "new/model.onnx", "--output", "labels")
    assert (result.code, result.errors) == (0, [])
    assert result.lines[0].startswith("new/model.onnx: ainet, fp32, output labels, ")
    assert tree("new") == ["model.onnx"]
    assert ["output", "labels"] in [line.split() for line in run("info", "new/model.onnx").lines]
    assert run("segment", "a.png", "-o", "out", "--model", "new/model.onnx", *FAST).code == 0
    np.testing.assert_array_equal(np.load("out/a.npy"), expected(segmenter, "a.png"))


def test_convert(run: Run, public_checkpoints: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    result = run("convert", public_checkpoints["scn_legacy"], "-o", "new/scn.safetensors")
    assert (result.code, result.errors) == (0, [])
    assert tree("new") == ["scn.safetensors"]
    rows = dict(line.split(maxsplit=1) for line in run("info", "new/scn.safetensors").lines)
    assert (rows["network"], rows["source"]) == ("scn", "scn_public_ckpt_legacy.tar")


class Exploit:
    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("import pathlib; pathlib.Path('ran').touch()",))


def test_a_tampered_pickle_never_runs(run: Run) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"state_dict": {}, "arch": Exploit()}, "evil.tar")
    for arguments in (
        ["export", "evil.tar", "-o", "x.onnx"],
        ["convert", "evil.tar", "-o", "x.safetensors"],
        ["info", "evil.tar"],
        ["segment", "a.png", "-o", "out", "--device", "torch", "--model", "evil.tar"],
    ):
        result = run(*arguments)
        assert result.code == 1
        assert len(result.errors) == 1
        assert "refused evil.tar" in result.errors[0]
    assert tree(".") == ["a.png", "b.jpg", "evil.tar"]


def test_checkpoints_that_do_not_fit(run: Run) -> None:
    pytest.importorskip("torch")
    from ainet.training.checkpoint import save_checkpoint
    from ainet.training.networks import build

    save_checkpoint("other.safetensors", build("scn"), {"network": "ainet"})
    Path("cut.safetensors").write_bytes(Path("other.safetensors").read_bytes()[:5000])
    for name, message in (
        ("other.safetensors", "error: other.safetensors does not fit the network AINet: missing "),
        ("cut.safetensors", "error: cut.safetensors"),
        ("gone.tar", "error: cannot read checkpoint gone.tar: No such file or directory; check the path"),
        ("a.png", "error: refused a.png"),
    ):
        for arguments in (["export", name, "-o", "x.onnx"], ["convert", name, "-o", "x.safetensors"], ["info", name]):
            result = run(*arguments)
            assert result.code == 1
            assert len(result.errors) == 1
            assert result.errors[0].startswith(message)
    assert not list(Path().glob("x.*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "-o", "x.pt"], 2, "cannot export to 'x.pt': the name must end in .onnx"),
        (["export", "-o", "x.onnx", "--precision", "int4"], 2, "unknown precision 'int4'; choose one of fp32, fp16"),
        (["export", "-o", "x.onnx", "--output", "ids"], 2, "unknown output 'ids'; choose one of logits, association, labels"),
        (["export", "model.onnx", "-o", "x.onnx"], 1, "model.onnx is an ONNX model already; name a checkpoint"),
        (["convert", "x.tar", "-o", "x.onnx"], 2, "cannot convert to 'x.onnx': the name must end in .safetensors"),
        (["convert", bundled("ainet.safetensors"), "-o", "file/x.safetensors"], 1, "cannot write file/x.safetensors: "),
        (["info", "gone.onnx"], 1, "no model file at gone.onnx; make one with: ainet export CHECKPOINT -o gone.onnx"),
        (["info", "file"], 1, "file is not a checkpoint"),
    ],
)
def test_wrong_model_commands(run: Run, arguments: list[str], code: int, message: str) -> None:
    pytest.importorskip("torch")
    Path("file").touch()
    result = run(*arguments)
    assert (result.code, len(result.errors)) == (code, 1)
    assert result.errors[0].startswith(f"error: {message}")
    assert tree(".") == ["a.png", "b.jpg", "file"]


def test_doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("doctor")
    assert (result.code, result.errors) == (0, [])
    rows = {line.split()[0]: line.split()[1:] for line in result.lines if line}
    assert rows["numpy"][0] == np.__version__
    assert rows["cpu"] == ["yes", "ONNX", "Runtime", "(CPU)"]
    monkeypatch.setattr("ainet.runtime.backends._installed", lambda package: False)
    monkeypatch.setitem(sys.modules, "ainet.runtime.backends.pytorch", None)
    result = run("doctor")
    assert result.code == 1
    assert result.lines[-1] == "No device works: pip install 'ainet-toolkit[cpu]'"
    assert any(line.startswith("openvino  ") and "no     device 'openvino' needs OpenVINO: pip install" in line for line in result.lines)


def test_version_and_help(run: Run) -> None:
    assert run("--version").lines == [f"ainet {ainet.__version__}"]
    help_text = "\n".join(run("--help").lines)
    assert all(command in help_text for command in ("segment", "export", "convert", "info", "doctor"))
    assert run("dance").code == 2
    assert run("segment", "a.png").code == 2  # -o is missing
