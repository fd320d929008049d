"""A Segmenter in other processes: pickled it opens anew, after a fork it is refused."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support import processes
from support.fixed_backend import FixedBackend
from support.processes import IMAGE, run_alone

from ainet import Segmenter
from ainet.errors import UsageError
from ainet.models import bundled


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
def test_a_data_loader() -> None:
    pytest.importorskip("torch")
    run_alone(processes.data_loader_gives_the_same_labels)


@pytest.mark.slow
def test_a_fork_is_refused() -> None:
    run_alone(processes.fork_is_refused)


@pytest.mark.slow
def test_pytorch_in_a_fork_is_refused(public_checkpoints: dict[str, Path]) -> None:
    """It would wait for threads that are not in the copy, whichever model is loaded there."""
    pytest.importorskip("torch")
    run_alone(processes.pytorch_in_a_fork_is_refused, str(public_checkpoints["scn"]))


@pytest.mark.slow
def test_the_package_has_one_segmenter_for_each_process() -> None:
    run_alone(processes.package_has_one_segmenter_for_each_process)
