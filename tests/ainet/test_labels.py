"""Label maps: what is written is read, by hand and by the commands; damaged files are an error that names them."""

import os
import re
import resource
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat
from support.blocks import write_sample
from support.pngs import png_chunk, png_header

from ainet.errors import ImageError, OutputError, UsageError
from ainet.labels import ENDINGS, check_same_size, find_labels, png16, read_bsds_truths, read_labels, write_labels

LABELS = np.arange(20 * 30, dtype=np.int32).reshape(20, 30) * 109 // 100  # 0 .. 652, with gaps


@pytest.mark.parametrize("ending", ENDINGS.values())
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, ">i4"])
def test_what_is_written_is_read(tmp_path: Path, ending: str, dtype: str) -> None:
    path = tmp_path / "deep" / f"x{ending}"
    write_labels(path, LABELS.astype(dtype))
    found = read_labels(path)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, LABELS)


def test_files_are_what_other_programs_read(tmp_path: Path) -> None:
    for suffix in ("npy", "csv", "png"):
        write_labels(tmp_path / f"x.{suffix}", LABELS)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), LABELS)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "x.csv", int, delimiter=","), LABELS)
    picture = cv2.imread(str(tmp_path / "x.png"), cv2.IMREAD_UNCHANGED)
    assert picture.dtype == np.uint16
    np.testing.assert_array_equal(picture, LABELS)


def test_pictures_of_other_kinds(tmp_path: Path) -> None:
    few = (LABELS // 60).astype(np.uint8)  # 0 .. 10
    Image.fromarray(few).save(tmp_path / "grey.PNG")
    palette = Image.fromarray(few, "P")
    palette.putpalette([7, 7, 7] * 256)  # one colour for all: the indices count
    palette.save(tmp_path / "palette.png")
    Image.fromarray(few > 4).save(tmp_path / "bits.png")
    Image.fromarray(np.dstack([few, few * 0])).save(tmp_path / "alpha.png")
    Image.fromarray(np.dstack([few, few * 0, few * 20])).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "grey.PNG"), few)
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png"), few)
    np.testing.assert_array_equal(read_labels(tmp_path / "bits.png"), few > 4)
    np.testing.assert_array_equal(read_labels(tmp_path / "alpha.png"), few)
    np.testing.assert_array_equal(read_labels(tmp_path / "colour.png"), few.astype(int) * (2**16 + 20))


def saved(array: NDArray[np.generic]) -> bytes:
    """The content of a PNG."""
    return cv2.imencode(".png", array)[1].tobytes()


def npy(header: bytes, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


DAMAGED = {
    "cut.png": saved(LABELS.astype(np.uint16))[:200],
    "text.png": b"not a picture",
    "photo in disguise.png": cv2.imencode(".jpg", np.zeros((20, 30), np.uint8))[1].tobytes(),
    "16-bit colour.png": saved(np.zeros((4, 6, 3), np.uint16)),
    "too large.png": png_header(9000, 9000),
    "nothing.npy": b"",
    "cut.npy": npy(b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, 6), }\n", b"1234"),
    "huge.npy": npy(b"{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999, 99999999), }\n"),
    "negative shape.npy": npy(b"{'descr': '<i4', 'fortran_order': False, 'shape': (-4, 6), }\n"),
    "open bracket.npy": npy(b"{'descr': '<i4', 'fortran_order': False, 'shape': (4, 6\n"),
    "tokens.npy": npy(b"'''\n"),
    "deep.npy": npy(b"(" * 9000),
    "no type.npy": npy(b"{'descr': [], 'fortran_order': False, 'shape': (4, 6), }\n"),
    "archive.npy": b"PK\x03\x04 cut off",
    "empty archive.npy": b"PK\x05\x06" + bytes(18),
    "nothing.csv": b"",
    "lines.csv": b"\n\n",
    "nan.csv": b"1,nan\n",
    "comment.csv": b"# 1,2\n",
    "ragged.csv": b"1,2\n3\n",
    "comma.csv": b"1,2\n3,",
    "fraction.csv": b"1,2\n3,0.5\n",
    "word.csv": b"1,2\n3,none\n",
    "large.csv": str(2**70).encode(),
    "UTF-16.csv": "1,2".encode("utf-16"),
    "negative.csv": b"1,2\n3,-4\n",
    "above int32.csv": b"1,2147483648\n",
    "picture.jpg": b"",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(ImageError, match=re.escape(name)):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 6)), np.zeros((2, 4, 6), int), np.zeros((0, 6), int), np.array([{"a": 1}]), np.array(["1"]), np.zeros((4, 6), "m8[s]"),
     np.zeros((4, 6), [("a", int)])],
    ids=["floats", "three axes", "empty", "pickle", "text", "times", "records"],
)  # fmt: skip
def test_arrays_that_are_no_label_map(tmp_path: Path, array: NDArray[np.generic]) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ImageError, match=r"x\.npy"):
        read_labels(tmp_path / "x.npy")


def test_a_map_that_is_too_large_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", LABELS)
    monkeypatch.setattr(np, "load", lambda *_, **__: np.broadcast_to(np.uint8(0), (32769, 32768)))  # without a gigabyte on the disk
    with pytest.raises(ImageError, match=r"x\.npy has 32769x32768 pixels, more than 1,074 megapixels"):
        read_labels(tmp_path / "x.npy")


@pytest.mark.parametrize("suffix", ["npy", "csv", "png"])
def test_no_such_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ImageError, match=rf"nowhere\.{suffix}.*No such file"):
        read_labels(tmp_path / f"nowhere.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    with pytest.raises(ImageError, match=rf"folder\.{suffix}"):
        read_labels(tmp_path / f"folder.{suffix}")


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"iCCP", b"PLTE", b"abcd"])
def test_a_length_of_four_gigabytes_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "x.png"
    header = png_header(6, 4, bits=16, colours=0).removesuffix(b"\x00\x00\x10\x00IDAT")
    path.write_bytes(header + png_chunk(kind, bytes(110), length=0xFFFF_FFF0))
    assert path.stat().st_size < 200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=r"x\.png"):
        read_labels(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_what_cannot_be_written(tmp_path: Path) -> None:
    wide = np.arange(65_537, dtype=np.int32)[None]
    for labels, message in (
        (wide, "ids up to 65536 do not fit"),
        (np.array([[2**31 - 1]], np.int32), "ids up to 2147483647 do not fit"),
        (np.zeros((16, 1_100_000), np.int32), "16x1100000 is too large"),
        (np.broadcast_to(np.int32(0), (8192, 8193)), "8192x8193 labels are too many"),
    ):
        with pytest.raises(ImageError, match=rf"cannot write .*x\.png: {message}"):
            write_labels(tmp_path / "out" / "x.png", labels)
        with pytest.raises(ImageError, match=f"the photo: {message}"):
            png16(labels, "the photo")
    with pytest.raises(UsageError, match=r"x\.tif"):
        write_labels(tmp_path / "out" / "x.tif", LABELS)
    assert not (tmp_path / "out").exists()
    write_labels(tmp_path / "x.png", wide[:, :-1])
    np.testing.assert_array_equal(read_labels(tmp_path / "x.png"), wide[:, :-1])
    assert png16(wide[:, :-1], "the photo") == (tmp_path / "x.png").read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        write_labels(tmp_path / "file" / "x.png", LABELS)


def test_find_labels(tmp_path: Path) -> None:
    names = [
        "a.npy",
        "b_labels.png",
        "b_overlay.png",
        "c.PNG",
        "d-0.csv",
        "d-1_labels.png",
        "e-2.csv",
        "f_labels.png",
        "g.npy",
        "notes.txt",
    ]
    for name in names:
        (tmp_path / name).touch()
    found = find_labels(tmp_path, ["a", "b", "c", "d", "e-2", "f_labels", "absent"])
    assert {image: [path.name for path in paths] for image, paths in found.items()} == {
        "a": ["a.npy"],
        "b": ["b_labels.png"],
        "c": ["c.PNG"],
        "d": ["d-0.csv", "d-1_labels.png"],
        "e-2": ["e-2.csv"],
        "f_labels": ["f_labels.png"],
        "g": ["g.npy"],
    }
    (tmp_path / "b.csv").touch()
    with pytest.raises(UsageError, match=r"b\.csv and b_labels\.png for one image"):
        find_labels(tmp_path, ["b"])
    with pytest.raises(UsageError, match="nowhere"):
        find_labels(tmp_path / "nowhere", ["a"])


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
def test_a_folder_that_is_closed(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(UsageError, match=r"cannot read the folder .*closed: Permission denied"):
        find_labels(tmp_path / "closed", ["a"])


def test_size_of_another_image() -> None:
    check_same_size(LABELS, "x.npy", [20, 30])
    with pytest.raises(ImageError, match=r"x\.npy is \(20, 30\).*\(30, 20\)"):
        check_same_size(LABELS, "x.npy", (30, 20))


def test_ground_truths_of_bsds(tmp_path: Path) -> None:
    truths = [LABELS.astype(np.uint16), (LABELS[::-1] // 7).astype(np.uint16)]
    write_sample(tmp_path, "val", "1", np.zeros((20, 30, 3), np.uint8), truths)
    write_sample(tmp_path, "val", "2", np.zeros((20, 30, 3), np.uint8), [])
    path = tmp_path / "groundTruth" / "val" / "1.mat"
    np.testing.assert_array_equal(read_bsds_truths(path), truths)
    with pytest.raises(ImageError, match=r"2\.mat holds no annotation"):
        read_bsds_truths(path.with_name("2.mat"))
    for name, content in {"cut": path.read_bytes()[:200], "text": b"MATLAB 5.0", "empty": b""}.items():
        path.with_name(f"{name}.mat").write_bytes(content)
    with pytest.raises(ImageError, match=r"cannot read .*absent\.mat: No such file"):
        read_bsds_truths(path.with_name("absent.mat"))
    for name in ("cut", "text", "empty"):
        with pytest.raises(ImageError, match=rf"{name}\.mat is not a BSDS500 ground truth"):
            read_bsds_truths(path.with_name(f"{name}.mat"))


@pytest.mark.parametrize("orientation", [2, 3, 4, 6, 8])
def test_label_pictures_are_turned_as_their_photos_are(tmp_path: Path, orientation: int) -> None:
    ids = np.arange(1200, dtype=np.uint16).reshape(30, 40)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(ids).save(tmp_path / "x.png", exif=exif)
    turned = {2: ids[:, ::-1], 3: ids[::-1, ::-1], 4: ids[::-1], 6: ids.T[:, ::-1], 8: ids.T[::-1]}
    np.testing.assert_array_equal(read_labels(tmp_path / "x.png"), turned[orientation])


NO_LABELS: dict[str, Any] = {
    "fractions": np.full((3, 4), 0.5),
    "NaN": np.full((3, 4), np.nan),
    "three axes": np.zeros((3, 4, 1), np.int32),
    "one axis": np.zeros(4, np.int32),
    "empty": np.zeros((0, 4), np.int32),
    "booleans": np.zeros((3, 4), bool),
    "text": "labels",
}


@pytest.mark.parametrize("ending", ENDINGS.values())
@pytest.mark.parametrize("name", NO_LABELS)
def test_what_is_no_label_map_is_not_written(tmp_path: Path, name: str, ending: str) -> None:
    with pytest.raises(UsageError, match=r"labels must be a non-empty \(H, W\) array of integers"):
        write_labels(tmp_path / f"x{ending}", NO_LABELS[name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS.values())
def test_lists_are_written(tmp_path: Path, ending: str) -> None:
    write_labels(tmp_path / f"x{ending}", [[0, 1], [2, 2]])
    np.testing.assert_array_equal(read_labels(tmp_path / f"x{ending}"), [[0, 1], [2, 2]])


@pytest.mark.parametrize("ending", ENDINGS.values())
@pytest.mark.parametrize("ids", [[-5, 0], [0, 2**31], [2**63, 2**64 - 1]])
def test_ids_that_would_not_be_read_are_not_written(tmp_path: Path, ending: str, ids: list[int]) -> None:
    with pytest.raises(UsageError, match="relabel them to lie in"):
        write_labels(tmp_path / f"x{ending}", np.array([ids]))
    assert list(tmp_path.iterdir()) == []


def test_an_animation_is_no_label_map(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (1, 2)]
    frames[0].save(tmp_path / "x.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="is an animation"):
        read_labels(tmp_path / "x.png")


def test_ground_truths_in_numbers_as_matlab_has_them(tmp_path: Path) -> None:
    labels = np.array([[1, 1, 2], [3, 3, 2]])
    cell = np.empty((1, 1), object)
    cell[0, 0] = {"Segmentation": labels.astype(float)}
    savemat(tmp_path / "x.mat", {"groundTruth": cell})
    (found,) = read_bsds_truths(tmp_path / "x.mat")
    np.testing.assert_array_equal(found, labels)
    cell[0, 0] = {"Segmentation": labels + 0.5}
    savemat(tmp_path / "x.mat", {"groundTruth": cell})
    with pytest.raises(ImageError, match="not all values are whole numbers"):
        read_bsds_truths(tmp_path / "x.mat")
