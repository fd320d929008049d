"""napari's widget in a real window on a virtual screen, in the environment of `make .venv-napari`."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.paths import PHOTOS, ROOT

import ainet
from ainet.napari.regions import slider_counts

PYTHON = Path(os.environ.get("AINET_NAPARI_PYTHON", ROOT / ".venv-napari/bin/python"))
PHOTO = PHOTOS / "chelsea.jpg"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="no environment with the extra [napari]: make .venv-napari, or name its Python in AINET_NAPARI_PYTHON"
    ),
    pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="no virtual screen: on Debian apt-get install xvfb xauth"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What tests/support/napari_window.py wrote."""
    folder = tmp_path_factory.mktemp("napari")
    command = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", PYTHON, "-P", ROOT / "tests/support/napari_window.py", PHOTO, folder]
    environment = {**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1", "NAPARI_CONFIG": str(folder / "settings.yaml"), "HOME": str(folder)}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return dict(np.load(folder / "results.npz"))


@pytest.fixture(scope="module")
def tree():
    with ainet.Segmenter.load(device="cpu") as segmenter:
        return segmenter.hierarchy(ainet.read_image(PHOTO), 300)


def test_an_image_layer_becomes_a_labels_layer_in_its_place(results, tree):
    assert (results["at_first"] == tree.cut(200) + 1).mean() > 0.999
    np.testing.assert_array_equal(results["scale"], [2, 2])
    np.testing.assert_array_equal(results["translate"], [10, 20])


def test_count_and_slider_cut_the_hierarchy(results, tree):
    assert (results["by_number"] == tree.cut(25) + 1).mean() > 0.999
    assert results["slider_count"] == slider_counts(tree.max_segments)[11]
    assert (results["by_slider"] == tree.cut(int(results["slider_count"])) + 1).mean() > 0.999


def test_a_click_paints_a_whole_region(results):
    row, column = results["point"]
    regions = results["by_slider"]
    np.testing.assert_array_equal(results["painted"], np.where(regions == regions[row, column], 3, 0))
    assert not results["undone"].any()
    assert not results["switched_off"].any()


def test_a_painted_layer_that_is_deleted_is_made_anew(results):
    assert not results["deleted"].any()
    np.testing.assert_array_equal(results["painted_anew"], np.where(results["painted"] == 3, 5, 0))


def test_a_volume_is_refused_in_napari(results):
    assert [note for note in results["refused"] if "volume" in note and "(4, 30, 40)" in note]


def test_the_window_is_not_black(folder):
    picture = np.array(Image.open(folder / "window.png").convert("L"))
    assert picture.std() > 20
