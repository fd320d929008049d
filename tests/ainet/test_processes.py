"""A Segmenter in other processes: pickled it opens anew, after a fork it is refused."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import processes
from support.fixed_backend import FixedBackend
from support.processes import IMAGE, labels_of, run_alone

from ainet import Segmenter
from ainet.errors import ModelError, UsageError
from ainet.export.whole import load_whole
from ainet.models import bundled


def test_a_pickle_opens_anew(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(load_whole(bundled("scn.onnx")), tmp_path / "model.onnx")
    (tmp_path / "own.onnx").symlink_to("model.onnx")
    monkeypatch.chdir(tmp_path)
    with Segmenter.load("own.onnx", "cpu", 1) as own:
        content = pickle.dumps(own)
        expected = labels_of(own)
    monkeypatch.chdir("/")
    assert len(content) < 2000  # no weights
    with pickle.loads(content) as copy:
        assert (copy.device, copy.info) == (own.device, own.info)
        np.testing.assert_array_equal(labels_of(copy), expected)
    np.testing.assert_array_equal(labels_of(pickle.loads(pickle.dumps(segmenter))), labels_of(segmenter))
    with pytest.raises(UsageError, match="closed"):
        pickle.dumps(own)
    with pytest.raises(UsageError, match=r"Segmenter\.load"):
        pickle.dumps(Segmenter(FixedBackend(np.zeros((1, 9, 16, 16)))))


def test_what_cannot_be_opened_anew_says_so_when_it_is_used(tmp_path: Path) -> None:
    """Not while it is unpickled, which would end a worker of a pool, and leave its parent waiting."""
    own = tmp_path / "own.onnx"
    onnx.save(load_whole(bundled("scn.onnx")), own)
    with Segmenter.load(own, "cpu", 1) as opened:
        content = pickle.dumps(opened)
    own.unlink()
    with pickle.loads(content) as copy:
        assert (copy.device, copy.info) == (opened.device, opened.info)
        for use in (labels_of, lambda segmenter: segmenter.hierarchy(IMAGE, 12), lambda segmenter: segmenter.backend, pickle.dumps):
            with pytest.raises(ModelError, match=r"no model file at .*own\.onnx"):
                use(copy)
    with pytest.raises(UsageError, match="closed"):
        labels_of(copy)


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
def test_a_pool_of_forks_gives_the_error_to_its_parent(public_checkpoints: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    run_alone(processes.pool_of_forks_gives_the_error_to_its_parent, str(public_checkpoints["scn"]))


@pytest.mark.slow
def test_the_package_has_one_segmenter_for_each_process() -> None:
    run_alone(processes.package_has_one_segmenter_for_each_process)
