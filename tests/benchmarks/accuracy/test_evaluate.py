import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from ainet.benchmarks.accuracy.evaluate import evaluate_folder
from ainet.errors import UsageError

IMAGES = ("3096", "69040", "175043", "33039", "86000", "208001")


def test_the_reference_images_in_all_three_formats(shared: Path, tmp_path: Path) -> None:
    reference = shared / "reference" / "metrics"
    for kind, suffix in (("images", "jpg"), ("groundTruth", "mat")):
        (tmp_path / kind / "val").mkdir(parents=True)
        for name in IMAGES:
            (tmp_path / kind / "val" / f"{name}.{suffix}").symlink_to(shared / "bsds500" / kind / "val" / f"{name}.{suffix}")
    folder = tmp_path / "labels"
    folder.mkdir()
    maps = np.load(reference / "labels.npz")
    for k, name in enumerate(IMAGES):
        labels = maps[f"{name}__slic300"]
        if k % 3 == 0:
            np.save(folder / f"{name}.npy", labels)
        elif k % 3 == 1:
            np.savetxt(folder / f"{name}.csv", labels, fmt="%d", delimiter=",")
        else:
            cv2.imwrite(str(folder / f"{name}.png"), labels)
    (folder / "notes.txt").write_text("files of no image are ignored")

    summary = evaluate_folder(folder, tmp_path, "val")

    assert (summary.images, summary.pairs["all_gts"]) == (6, 35)
    expected = json.loads((reference / "summary_slic300" / "means.json").read_text())
    for truths, means in expected.items():
        for metric in ("asa", "rec", "pre", "ue_np", "sp"):
            assert summary.means["row_mean"][truths][metric] == pytest.approx(means[metric]["row_mean"], rel=1e-8)


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    """Two images of 4 x 6 pixels, 1 and 2, with one ground truth each, and a folder `labels` that has a map for the first."""
    truths = np.empty((1, 1), object)
    truths[0, 0] = {"Segmentation": np.ones((4, 6), np.uint16)}
    for folder in ("images/val", "groundTruth/val", "labels"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("1", "2"):
        cv2.imwrite(str(tmp_path / "images" / "val" / f"{name}.jpg"), np.zeros((4, 6, 3), np.uint8))
        savemat(tmp_path / "groundTruth" / "val" / f"{name}.mat", {"groundTruth": truths})
    np.save(tmp_path / "labels" / "1.npy", np.zeros((4, 6), np.int32))
    return tmp_path


def test_every_image_needs_one_label_map(bsds: Path) -> None:
    with pytest.raises(UsageError, match=r"1 of 2 images have no label map, first .*/2 "):
        evaluate_folder(bsds / "labels", bsds, "val")
    for suffix in ("csv", "png"):
        (bsds / "labels" / f"2.{suffix}").touch()
    with pytest.raises(UsageError, match=r"2\.csv and 2\.png for one image"):
        evaluate_folder(bsds / "labels", bsds, "val")
    for suffix in ("csv", "png"):
        (bsds / "labels" / f"2.{suffix}").unlink()
    for number in range(2):
        np.save(bsds / "labels" / f"2-{number}.npy", np.zeros((4, 6), int))
    with pytest.raises(UsageError, match=r"2-0\.npy and 2-1\.npy for one image"):
        evaluate_folder(bsds / "labels", bsds, "val")
