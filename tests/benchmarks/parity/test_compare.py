"""Parity: the rows of a table of models, and models that have no bounds."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.fixed_backend import FixedBackend

pytest.importorskip("torch")

from ainet.benchmarks.parity.compare import Candidate, compare_models
from ainet.errors import ModelError
from ainet.export.agreement import BOUNDS, METRICS, compare, mean_metrics

HEIGHT, WIDTH = 48, 64  # 12 cells of 16 x 16 without any resizing
RANDOM = np.random.default_rng(5)
LOGITS = RANDOM.normal(0, 2, (1, 9, HEIGHT, WIDTH)).astype(np.float32)
IMAGES = [(Path("image"), RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))]


def test_a_row_of_each_model() -> None:
    reference, other = FixedBackend(LOGITS), FixedBackend(np.ascontiguousarray(LOGITS[:, :, ::-1]), precision="fp16")
    truth = RANDOM.integers(1, 5, (3, 4)).repeat(16, 0).repeat(16, 1).astype(np.uint16)
    samples: Any = [SimpleNamespace(image=lambda: IMAGES[0][1], segmentations=lambda: [truth])]
    same, changed = compare_models(reference, [Candidate("a", FixedBackend(LOGITS)), Candidate("b", other)], IMAGES, samples, 12)
    assert (same.model, same.precision, same.output, same.device) == ("a", "fp32", "logits", "fixed")
    assert (same.argmax, same.q, same.nan, same.failures, same.differences) == (1, 0, 0, (), dict.fromkeys(METRICS, 0))
    (agreement,) = compare(reference, [other], IMAGES, 12)
    assert (changed.argmax, changed.q, changed.bounds) == (agreement.argmax, agreement.q, BOUNDS["fp16"])
    before, after = mean_metrics([reference, other], samples, 12)
    assert changed.differences == {name: after[name] - before[name] for name in METRICS}
    assert changed.failures[:2] == ("argmax", "q")
    (row,) = compare_models(reference, [Candidate("b", other)], IMAGES, n_segments=12)
    assert (row.argmax, row.differences) == (changed.argmax, {})


def test_a_precision_without_bounds() -> None:
    with pytest.raises(ModelError, match="fp4"):
        Candidate("x.onnx", FixedBackend(LOGITS, precision="fp4"))
