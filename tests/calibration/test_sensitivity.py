"""The search for layers to leave in float, on a score whose answers are known."""

import numpy as np
import pytest

from ainet.calibration import sensitivity
from ainet.calibration.plot import bars
from ainet.calibration.sensitivity import Comparison, Damage, keep_boundaries
from ainet.errors import ModelError, UsageError


class Counter:
    """A score that is told by the number of its call: the first is the float model's."""

    def __init__(self, *asa):
        self.asa, self.calls = asa, 0

    def __call__(self, labels):
        assert all(one.dtype == np.int32 and one.shape == (96, 128) for one in labels)
        self.calls += 1
        return self.asa[min(self.calls, len(self.asa)) - 1], 0.5


def test_the_float_model_loses_nothing(calibration, chosen):
    compare = Comparison(calibration, chosen, Counter(0.9))
    assert compare(calibration.model(calibration.layers)) == Damage(0, 0, 0)
    assert 0 < compare(calibration.model()).disagreement < 0.2


def test_no_layer_is_kept_where_none_needs_to_be(calibration, chosen, monkeypatch):
    monkeypatch.setattr(sensitivity, "MIN_AGREEMENT", 0)
    score = Counter(0.9, 0.8995)
    result = keep_boundaries(calibration, chosen, score)
    assert (score.calls, result.float_layers, result.alone) == (2, (), {})
    assert result.damage == result.all_int8
    assert result.damage.asa_drop == pytest.approx(0.0005)


def test_the_worst_layers_are_kept_first(calibration, chosen, monkeypatch):
    """Five layers; the target is met with two of them in float."""
    monkeypatch.setattr(sensitivity, "MIN_AGREEMENT", 0)
    few = dict(list(calibration.layers.items())[:5])
    monkeypatch.setattr(calibration, "layers", few)
    steps = []
    score = Counter(0.9, *[0.8] * 6, 0.85, 0.9)  # float, all, five alone, one kept, two kept
    result = keep_boundaries(calibration, chosen[:1], score, progress=lambda what, done, total: steps.append((what, done, total)))
    worst = sorted(few, key=lambda name: -result.alone[name].disagreement)[:2]
    assert set(result.float_layers) == set(worst)
    assert result.damage.asa_drop == 0
    assert result.all_int8.asa_drop == pytest.approx(0.1)
    assert steps[-1] == ("done", 8, 8)
    picture = bars(result)
    assert picture.count("darkorange") == 2
    assert picture.count("steelblue") == 3
    assert f'width="{480:.1f}"' in picture  # the worst layer's bar


def test_a_target_out_of_reach(calibration, chosen, monkeypatch):
    monkeypatch.setattr(sensitivity, "MIN_AGREEMENT", 0)
    monkeypatch.setattr(calibration, "layers", dict(list(calibration.layers.items())[:4]))
    score = Counter(0.9, *[0.8] * 5, 0.85, 0.84)
    with pytest.raises(ModelError, match=r"cannot stay within an ASA drop of 0\.001.*best found is ASA -0\.0500.* with conv\w+ in float"):
        keep_boundaries(calibration, chosen[:1], score)
    with pytest.raises(UsageError, match="must be from 0 to 1, not -1"):
        keep_boundaries(calibration, chosen, score, -1)
