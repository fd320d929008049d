"""Data sets: what they read, and what they say about folders that are wrong."""

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from ainet.errors import ImageError, UsageError
from ainet.training.datasets import bsds500, label_folder, nyuv2
from ainet.training.datasets.nyu import fill_gaps
from ainet.training.datasets.resident import ResidentData


def regions(height: int, width: int) -> NDArray[np.uint16]:
    """Four rectangles with ids 1..4."""
    y, x = np.mgrid[:height, :width]
    return (1 + 2 * (y >= height // 2) + (x >= width // 2)).astype(np.uint16)


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3)).astype(np.uint8)


def write_rgb(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])


def write_mat(path: Path, maps: list[NDArray[np.uint16]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = np.empty((1, len(maps)), object)
    for number, labels in enumerate(maps):
        cell[0, number] = {"Segmentation": labels, "Boundaries": np.zeros(labels.shape, np.uint8)}
    savemat(path, {"groundTruth": cell})


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    for name in ("1", "2"):
        write_rgb(tmp_path / f"images/train/{name}.jpg", picture(40, 60))
        write_mat(tmp_path / f"groundTruth/train/{name}.mat", [regions(40, 60), regions(40, 60) + 3])
    return tmp_path


class TestBSDS500:
    def test_official_files(self, shared: Path) -> None:
        train, val = (bsds500(shared / "bsds500", split) for split in ("train", "val"))
        assert (len(train), len(val)) == (200, 100)
        assert [sample.image_id for sample in train] == sorted(sample.image_id for sample in train)
        sample = next(sample for sample in train if sample.image_id == "100075")
        maps = sample.segmentations()
        assert sample.image().shape == (321, 481, 3) and sample.image().dtype == np.uint8
        assert len(maps) == 6 and all(labels.shape == (321, 481) and labels.dtype == np.uint16 for labels in maps)
        assert all(labels.min() == 1 and len(np.unique(labels)) == labels.max() for labels in maps)

    def test_every_annotation_is_a_sample(self, shared: Path) -> None:
        val = bsds500(shared / "bsds500", "val")[:3]
        data = ResidentData.load(val)
        assert Counter(name.split(",")[0] for name in data.names) == {sample.image_id: len(sample.segmentations()) for sample in val}

    def test_small_copy(self, bsds: Path) -> None:
        first = bsds500(bsds, "train")[0]
        np.testing.assert_array_equal(first.segmentations()[1], regions(40, 60) + 3)

    def test_wrong_folder_shows_the_layout(self, tmp_path: Path, bsds: Path) -> None:
        for root, split in ((tmp_path / "nowhere", "train"), (bsds, "val")):
            with pytest.raises(UsageError, match=rf"no image of BSDS500 '{split}'(.|\n)*ROOT/groundTruth/{split}/100075.mat"):
                bsds500(root, split)

    def test_half_downloaded(self, bsds: Path) -> None:
        (bsds / "groundTruth/train/2.mat").unlink()
        with pytest.raises(UsageError, match=r"1 of BSDS500 'train' .* lack a partner: 2 has no ground truth"):
            bsds500(bsds, "train")
        (bsds / "images/train/1.jpg").rename(bsds / "images/train/3.jpg")
        with pytest.raises(UsageError, match="1 has no image"):
            bsds500(bsds, "train")

    @pytest.mark.parametrize("damage", ["truncated", "text", "other"])
    def test_corrupt_mat(self, bsds: Path, damage: str) -> None:
        path = bsds / "groundTruth/train/1.mat"
        if damage == "truncated":
            path.write_bytes(path.read_bytes()[:400])
        elif damage == "text":
            path.write_text("404: Not Found")
        else:
            savemat(path, {"something": np.ones(3)})
        with pytest.raises(ImageError, match=r"1\.mat is not a BSDS500 ground truth: .* fetch it again"):
            bsds500(bsds, "train")[0].segmentations()

    def test_damaged_image(self, bsds: Path) -> None:
        (bsds / "images/train/1.jpg").write_bytes(b"\xff\xd8 not a jpeg")
        with pytest.raises(ImageError, match=r"1\.jpg"):
            bsds500(bsds, "train")[0].image()

    def test_half_downloaded_image(self, bsds: Path) -> None:
        path = bsds / "images/train/1.jpg"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ImageError, match=r"1\.jpg"):
            bsds500(bsds, "train")[0].image()

    def test_sizes_differ(self, bsds: Path) -> None:
        write_mat(bsds / "groundTruth/train/1.mat", [regions(40, 60), regions(60, 40)])
        with pytest.raises(ImageError, match=r"annotation 1 of .*1\.mat is \(60, 40\), its image is \(40, 60\)"):
            bsds500(bsds, "train")[0].segmentations()

    def test_no_annotation(self, bsds: Path) -> None:
        write_mat(bsds / "groundTruth/train/1.mat", [])
        with pytest.raises(ImageError, match=r"1\.mat"):
            bsds500(bsds, "train")[0].segmentations()


class TestLabelFolder:
    def test_grey_colour_palette_and_csv(self, tmp_path: Path) -> None:
        from PIL import Image

        labels = regions(20, 30)
        for name in ("a", "b", "c", "d"):
            write_rgb(tmp_path / f"images/{name}.png", picture(20, 30))
        (tmp_path / "labels").mkdir()
        cv2.imwrite(str(tmp_path / "labels/a.png"), labels * 999)
        cv2.imwrite(str(tmp_path / "labels/b.png"), np.stack((labels, labels * 0, labels * 20), 2).astype(np.uint8))
        palette = Image.fromarray(labels.astype(np.uint8), "P")
        palette.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
        palette.save(tmp_path / "labels/c.png")
        np.savetxt(tmp_path / "labels/d.csv", labels, "%d", delimiter=",")
        samples = label_folder(tmp_path / "images", tmp_path / "labels")
        assert [sample.image_id for sample in samples] == ["a", "b", "c", "d"]
        for sample in samples:
            (found,) = sample.segmentations()
            np.testing.assert_array_equal(np.unique(found, return_inverse=True)[1].reshape(20, 30) + 1, dense(found, labels))

    def test_several_annotations(self, tmp_path: Path) -> None:
        for name in ("x", "y-1"):
            write_rgb(tmp_path / f"images/{name}.jpg", picture(20, 30))
        (tmp_path / "labels").mkdir()
        for number, name in enumerate(("x-0", "x-1", "y-1")):
            cv2.imwrite(str(tmp_path / f"labels/{name}.png"), regions(20, 30) + number)
        x, y = label_folder(tmp_path / "images", tmp_path / "labels")
        assert [labels.min() for labels in x.segmentations()] == [1, 2]
        assert [labels.min() for labels in y.segmentations()] == [3]

    def test_wrong_folders(self, tmp_path: Path) -> None:
        write_rgb(tmp_path / "images/a.png", picture(20, 30))
        with pytest.raises(UsageError, match=r"no folder .*labels"):
            label_folder(tmp_path / "images", tmp_path / "labels")
        (tmp_path / "labels").mkdir()
        with pytest.raises(UsageError, match=r"nothing usable in .*labels; expected(.|\n)*LABELS/NAME.png"):
            label_folder(tmp_path / "images", tmp_path / "labels")
        cv2.imwrite(str(tmp_path / "labels/b.png"), regions(20, 30))
        with pytest.raises(UsageError, match="2 files lack a partner: 'a' has no label map"):
            label_folder(tmp_path / "images", tmp_path / "labels")
        cv2.imwrite(str(tmp_path / "labels/a.png"), regions(30, 20))
        (tmp_path / "labels/b.png").unlink()
        with pytest.raises(ImageError, match=r"a\.png is \(30, 20\), its image is \(20, 30\)"):
            label_folder(tmp_path / "images", tmp_path / "labels")[0].segmentations()
        with pytest.raises(UsageError, match=r"a\.png stands for an image and for its own label map"):
            label_folder(tmp_path / "images", tmp_path / "images")

    def test_more_regions_than_16_bits_hold(self, tmp_path: Path) -> None:
        write_rgb(tmp_path / "images/a.png", picture(257, 256))
        (tmp_path / "labels").mkdir()
        many = np.arange(257 * 256).reshape(257, 256) * 9
        np.save(tmp_path / "labels/a.npy", many % (2**16 * 9))
        (found,) = label_folder(tmp_path / "images", tmp_path / "labels")[0].segmentations()
        np.testing.assert_array_equal(found.ravel(), np.arange(257 * 256) % 2**16)
        np.save(tmp_path / "labels/a.npy", many)
        with pytest.raises(ImageError, match=r"a\.npy has 65792 regions"):
            label_folder(tmp_path / "images", tmp_path / "labels")[0].segmentations()

    def test_suffixes_in_capitals(self, tmp_path: Path) -> None:
        labels = regions(20, 30)
        for name in ("a", "b"):
            write_rgb(tmp_path / f"images/{name}.PNG", picture(20, 30))
        (tmp_path / "labels").mkdir()
        cv2.imwrite(str(tmp_path / "labels/a.PNG"), labels)
        np.savetxt(tmp_path / "labels/b.CSV", labels, "%d", delimiter=",")
        for sample in label_folder(tmp_path / "images", tmp_path / "labels"):
            np.testing.assert_array_equal(sample.segmentations(), [labels])

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        for name in ("a.png", "a.jpg", "b.png"):
            write_rgb(tmp_path / "images" / name, picture(20, 30))
        (tmp_path / "labels").mkdir()
        for name in ("a-0.png", "b.png", "b.csv"):
            (tmp_path / "labels" / name).touch()
        with pytest.raises(UsageError, match=r"images has a\.jpg and a\.png under one name; keep one of them"):
            label_folder(tmp_path / "images", tmp_path / "labels")
        (tmp_path / "images/a.jpg").unlink()
        with pytest.raises(UsageError, match=r"labels has b\.csv and b\.png for one image"):
            label_folder(tmp_path / "images", tmp_path / "labels")


def dense(found: NDArray[np.uint16], labels: NDArray[np.uint16]) -> NDArray[Any]:
    """`labels` renumbered in the order of `found`'s ids; fails unless both are the same partition."""
    pairs = sorted(set(zip(found.flat, labels.flat, strict=True)))
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(found))
    table = np.zeros(labels.max() + 1, np.int64)
    for order, (_, label) in enumerate(pairs, start=1):
        table[label] = order
    return table[labels]


class TestNYUv2:
    def test_labelled_mat(self, tmp_path: Path) -> None:
        h5py = pytest.importorskip("h5py")
        image, labels = picture(480, 640), regions(480, 640)
        labels[100:103] = 0  # an unlabelled strip
        labels[300:400, 100:300] = 0  # and a large area
        instances = np.ones_like(labels)
        instances[:, 600:] = 2
        with h5py.File(tmp_path / "nyu_depth_v2_labeled.mat", "w") as file:
            file["images"] = np.stack([image * 0, image]).transpose(0, 3, 2, 1)
            file["labels"] = np.stack([labels * 0, labels]).transpose(0, 2, 1)
            file["instances"] = np.stack([instances * 0, instances]).astype(np.uint8).transpose(0, 2, 1)
        sample, absent, *others = nyuv2(tmp_path, "test")
        assert len(others) == 398 and len(nyuv2(tmp_path, "train")) == 200
        assert sample.image_id == "00000002"
        np.testing.assert_array_equal(sample.image(), image[16:-16, 16:-16])
        (found,) = sample.segmentations()
        assert found.shape == (448, 608)
        assert len(set(found[[50, 50, 50, 440, 440, 440], [10, 400, 590, 10, 400, 590]])) == 6  # 3 columns x 2 rows of instances
        assert (found[84:87, :300] == found[50, 10]).all()
        with pytest.raises(ImageError, match="cannot read images of image 4"):
            absent.image()
        with pytest.raises(UsageError, match="NYUv2 has no split 'val'; choose train or test"):
            nyuv2(tmp_path, "val")

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("images", None, r"cannot read images of image 2 .*doesn't exist"),
            ("labels", "group", r"cannot read labels of image 2 .*Accessing a group"),
            ("images", np.zeros((3, 3, 640, 480)), r"cannot read images of image 2 .*Cannot cast .*float64.* to .*uint8"),
            ("labels", np.full((3, 640, 480), b"wall"), r"cannot read labels of image 2 .*Cannot cast"),
            ("images", np.zeros((3, 640, 480), np.uint8), r"images of image 2 .* has the shape \(480, 640\), not \(480, 640, 3\)"),
            ("images", np.zeros(3, np.uint8), r"images of image 2 .* has the shape \(\), not \(480, 640, 3\)"),
            ("labels", np.zeros((3, 64, 48), np.uint16), r"labels of image 2 .* has the shape \(48, 64\), not \(480, 640\)"),
            ("instances", np.zeros((3, 480, 640), np.uint8), r"instances of image 2 .* has the shape \(640, 480\), not \(480, 640\)"),
        ],
    )
    def test_another_mat(self, tmp_path: Path, name: str, content: Any, message: str) -> None:
        h5py = pytest.importorskip("h5py")
        whole = {"images": (3, 3, 640, 480), "labels": (3, 640, 480), "instances": (3, 640, 480)}
        with h5py.File(tmp_path / "nyu_depth_v2_labeled.mat", "w") as file:
            for key, shape in whole.items():
                if key != name:
                    file[key] = np.ones(shape, np.uint8)
                elif isinstance(content, str):
                    file.create_group(key)
                elif content is not None:
                    file[key] = content
        sample = nyuv2(tmp_path, "test")[0]
        with pytest.raises(ImageError, match=message + r".*; fetch the file again$"):
            sample.image() if name == "images" else sample.segmentations()

    def test_half_downloaded_mat(self, tmp_path: Path) -> None:
        h5py = pytest.importorskip("h5py")
        path = tmp_path / "nyu_depth_v2_labeled.mat"
        with h5py.File(path, "w") as file:
            file["images"] = np.zeros((3, 3, 640, 480), np.uint8)
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ImageError, match=r"cannot read images of image 2 .*truncated file.*; fetch the file again"):
            nyuv2(tmp_path, "test")[0].image()

    @pytest.mark.parametrize("size", [(480, 640), (448, 608)])
    def test_folders(self, tmp_path: Path, size: tuple[int, int]) -> None:
        image, labels = picture(*size), regions(*size)
        write_rgb(tmp_path / "images/test/00000012.png", image)
        (tmp_path / "csv_groundTruth/test").mkdir(parents=True)
        np.savetxt(tmp_path / "csv_groundTruth/test/00000012-0.csv", labels, "%d", delimiter=",")
        (tmp_path / "images/test/notes.txt").touch()
        lines: list[str] = []
        (sample,) = nyuv2(tmp_path, "test", lines.append)
        assert len(lines) == 1 and "notes.txt" in lines[0]
        cut = slice(16, -16) if size[0] == 480 else slice(None)
        np.testing.assert_array_equal(sample.image(), image[cut, cut])
        np.testing.assert_array_equal(sample.segmentations()[0], labels[cut, cut])

    def test_wrong_folder_shows_the_layout(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no NYUv2 'test'(.|\n)*nyu_depth_v2_labeled.mat"):
            nyuv2(tmp_path, "test")

    def test_gaps_take_the_nearest_region(self) -> None:
        labels = regions(80, 80)
        labels[38:41] = 0
        labels[5:25, 5:25] = 0  # 400 pixels, too wide for the closing
        filled = fill_gaps(labels)
        assert filled.all()
        assert (filled[38, :40] == 1).all() and (filled[40, :40] == 3).all() and (filled[5:25, 5:25] == 1).all()
        labels[45:75, 45:75] = 0  # 900 pixels stay
        assert (fill_gaps(labels)[50:70, 50:70] == 0).all()


def test_a_folder_with_other_things_in_it(tmp_path: Path) -> None:
    """macOS puts ._NAME beside NAME on foreign disks; what is left out is said."""
    for folder in ("images/below", "labels"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "images/x.jfif").write_bytes(cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))[1].tobytes())
    np.save(tmp_path / "labels/x.npy", np.zeros((32, 32), np.int32))
    for name in ("images/._x.jfif", "images/notes.txt", "labels/._x.npy"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    lines: list[str] = []
    (sample,) = label_folder(tmp_path / "images", tmp_path / "labels", report=lines.append)
    assert sample.image().shape == (32, 32, 3)
    (said,) = lines
    assert said.endswith("left out 1 hidden (._x.jfif), 1 folders below it (below), 1 of another kind (notes.txt)")
