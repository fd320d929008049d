"""Superpixels with their border map from every engine of the CPU, and models without one."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from support.fixed_backend import FixedMap
from support.paths import PHOTOS

import ainet
from ainet.errors import ModelError, UsageError
from ainet.merge_tree import image_model
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.runtime.backends.base import MergingBackend
from ainet.runtime.merging import MERGING_ENTRY, BorderMap
from ainet.runtime.oversegmentation import over_segment, plan_finer
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import plan_segments
from ainet.segmenter import Segmenter
from ainet.torch_backend import open_torch

PLAN = plan_segments(64, 80, 40)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTOS / "chelsea.jpg")[100:164, 120:200]


@pytest.fixture(scope="module")
def expected(photo: NDArray[np.uint8]) -> BorderMap:
    pytest.importorskip("torch")
    border_map = over_segment(open_torch(bundled("ainet.safetensors")), photo, PLAN)[1]
    assert border_map is not None
    return border_map


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_engines_give_the_map_of_pytorch(photo: NDArray[np.uint8], expected: BorderMap, device: str) -> None:
    if device == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("no OpenVINO")
    backend = open_backend(bundled("ainet.onnx"), device)
    labels, border_map = over_segment(backend, photo, PLAN)
    np.testing.assert_array_equal(labels, run_pipeline(backend, photo[None], PLAN)[0])
    assert border_map is not None
    assert border_map.values.shape == (PLAN.working_height // 2, PLAN.working_width // 2, 16)
    np.testing.assert_allclose(border_map.values, expected.values, atol=1e-3)
    np.testing.assert_array_equal(border_map.rows, (np.arange(64) + 0.5) * (PLAN.working_height / 64) // 2)


def without_map(path: Path) -> Path:
    """The bundled AINet as files were before they had a border map."""
    model = onnx.load(bundled("ainet.onnx"))
    del model.graph.output[1]
    onnx.save(model, path)
    return path


def test_files_without_the_map(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    backend = open_backend(without_map(tmp_path / "old.onnx"), "cpu")
    assert isinstance(backend, MergingBackend)
    assert backend.merge_model is None
    labels, border_map = over_segment(backend, photo, PLAN)
    assert border_map is None
    np.testing.assert_array_equal(labels, over_segment(open_backend(bundled("ainet.onnx"), "cpu"), photo, PLAN)[0])
    assert Segmenter(backend)(photo, 17).max() == 16  # by the cost that needs no network


def test_a_working_image_beyond_memory(photo: NDArray[np.uint8]) -> None:
    class Full(FixedMap):
        def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
            raise MemoryError

    backend = Full(np.zeros(0), np.zeros(0, np.float32), image_model())
    with pytest.raises(UsageError, match=f"{PLAN.working_height}x{PLAN.working_width}"):
        over_segment(backend, photo, PLAN)


def test_tiles_go_without_the_map(photo: NDArray[np.uint8]) -> None:
    backend = open_backend(bundled("ainet.onnx"), "cpu")
    plan = plan_segments(64, 80, 600)  # tiles have margins, and so a least size
    assert over_segment(backend, photo, replace(plan, limit=plan.working_height * plan.working_width - 1))[1] is None


@pytest.mark.parametrize("entry", ["", "{}", '{"format": 9}'])
def test_damaged_cost(tmp_path: Path, entry: str) -> None:
    model = onnx.load(bundled("ainet.onnx"))
    for item in model.metadata_props:
        if item.key == MERGING_ENTRY:
            item.value = entry
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match=r"damaged\.onnx"):
        open_backend(tmp_path / "damaged.onnx", "cpu")


@pytest.mark.parametrize("count", [1, 20, 100, 600, 5000, 321 * 481 // 4])
def test_plans_are_finer(count: int) -> None:
    plan = plan_finer(321, 481, count, 321 * 481)
    assert plan.cells >= min(2 * count, 321 * 481 // 4) * 0.95
    half = plan_finer(321, 481, max(1, count // 2), 321 * 481 // 2)
    assert half.cells >= min(count, 321 * 481 // 4) * 0.95


@pytest.mark.parametrize("count", [0, 38601, 2.5])
def test_counts_out_of_range(count: object) -> None:
    with pytest.raises(UsageError, match=str(count)):
        plan_finer(321, 481, count, 321 * 481)  # type: ignore[arg-type]
