"""A Segmenter in other processes: pickled it opens anew, after a fork it is refused."""

import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.fixed_backend import FixedBackend
from support.paths import PHOTOS, ROOT
from support.processes import Superpixels, in_a_fork

import ainet
from ainet import Segmenter
from ainet.errors import DeviceError, UsageError
from ainet.models import bundled

IMAGE = np.asarray(Image.open(PHOTOS / "chelsea.jpg").crop((100, 60, 164, 108)))  # (48, 64, 3)


def labels_of(segmenter: Segmenter) -> NDArray[np.int32]:
    return segmenter(IMAGE, 12)


def test_a_pickle_opens_anew(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.onnx").symlink_to(bundled("scn.onnx"))
    monkeypatch.chdir(tmp_path)
    with Segmenter.load("own.onnx", "cpu", 1) as own:
        content = pickle.dumps(own)
        expected = labels_of(own)
    monkeypatch.chdir("/")
    assert len(content) < 1000  # no weights
    with pickle.loads(content) as copy:
        assert (copy.device, copy.info) == (own.device, own.info)
        np.testing.assert_array_equal(labels_of(copy), expected)
    np.testing.assert_array_equal(labels_of(pickle.loads(pickle.dumps(segmenter))), labels_of(segmenter))
    with pytest.raises(UsageError, match="closed"):
        pickle.dumps(own)
    with pytest.raises(UsageError, match=r"Segmenter\.load"):
        pickle.dumps(Segmenter(FixedBackend(np.zeros((1, 9, 16, 16)))))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_are_started_anew(segmenter: Segmenter, method: str) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        np.testing.assert_array_equal(pool.submit(segmenter, IMAGE, 12).result(100), labels_of(segmenter))


@pytest.mark.slow
def test_a_data_loader(segmenter: Segmenter) -> None:
    data = pytest.importorskip("torch.utils.data")
    photos = Superpixels(segmenter, IMAGE)
    loader = data.DataLoader(photos, batch_size=None, num_workers=1, multiprocessing_context="spawn", timeout=100)
    for number, labels in enumerate(loader):
        np.testing.assert_array_equal(labels, photos[number])


FORKS = """
import numpy as np
from ainet import Segmenter
from support.processes import in_a_fork

image = np.indices((48, 64)).sum(0).astype(np.uint8)
segmenter = Segmenter.load("scn", "cpu", 1)
segmenter(image, 12)
assert in_a_fork(lambda: segmenter(image, 12)) == "DeviceError"
assert in_a_fork(lambda: segmenter.hierarchy(image, 12)) == "DeviceError"
assert in_a_fork(lambda: Segmenter.load("scn", "cpu", 1)(image, 12)) == ""
assert in_a_fork(segmenter.close) == ""
segmenter(image, 12)
print("here it still works")
"""


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="it ended a worker of pytest-xdist, why is not known: run it alone")
def test_a_fork_is_refused() -> None:
    """In a process of its own, as that of the tests holds threads of many libraries."""
    path = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-W", "ignore", "-c", FORKS]
    result = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True, timeout=200)
    assert result.stdout == "here it still works\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_pytorch_in_a_fork_is_refused(public_checkpoints: dict[str, Path]) -> None:
    """It would wait for threads that are not in the copy, whichever model is loaded there."""
    pytest.importorskip("torch")
    checkpoint = public_checkpoints["scn"]
    with Segmenter.load(checkpoint, "torch") as opened:
        labels_of(opened)
    assert in_a_fork(lambda: Segmenter.load(checkpoint, "torch")) == DeviceError.__name__


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_segmenter_of_the_package_is_one_for_each_process() -> None:
    expected = ainet.segment(IMAGE, 12)

    def segment() -> None:
        np.testing.assert_array_equal(ainet.segment(IMAGE, 12), expected)

    assert in_a_fork(segment) == ""
