"""What INT8 costs, on a score whose answers are known, and how it is reported."""

import numpy as np
import pytest

from ainet.calibration.plot import save_bars
from ainet.calibration.sensitivity import Comparison, keep_boundaries, report
from ainet.errors import ModelError, UsageError
from ainet.export.agreement import METRICS, Agreement
from ainet.export.search import Found

pytestmark = pytest.mark.slow


class Scripted:
    """A score that is told by the number of its call: the first is the float model's."""

    def __init__(self, *asa: float) -> None:
        self.asa, self.calls = asa, 0

    def __call__(self, labels):
        assert all(one.dtype == np.int32 and one.shape == (96, 128) for one in labels)
        self.calls += 1
        return dict.fromkeys(METRICS, 0.5) | {"asa": self.asa[min(self.calls, len(self.asa)) - 1]}


def test_the_float_model_loses_nothing(calibration, chosen):
    compare = Comparison(calibration, chosen, Scripted(0.9))
    same = compare(calibration.model(calibration.layers))
    assert (same.argmax, same.differences) == (1, dict.fromkeys(METRICS, 0))
    assert same.q == pytest.approx(0, abs=1e-5)
    assert 0.8 < compare(calibration.model()).argmax < 1


class FewLayers:
    """A calibration that speaks of its first layers alone."""

    def __init__(self, calibration, count):
        self.info, self.float_model, self.model = calibration.info, calibration.float_model, calibration.model
        self.layers = dict(list(calibration.layers.items())[:count])
        self.cost = calibration.cost


def test_a_drop_of_asa_keeps_layers_in_float(calibration, chosen):
    """No model is better than .85, with or without layers in float: a target out of reach."""
    score = Scripted(0.9, 0.85)
    with pytest.raises(ModelError, match=r"asa.*--max-asa-drop"):
        keep_boundaries(FewLayers(calibration, 4), chosen[:1], score, max_asa_drop=0.01)
    assert score.calls == 1 + 1 + 4 + 2  # float, all in INT8, each alone, one and two in float
    with pytest.raises(UsageError, match="-1"):
        keep_boundaries(calibration, chosen, score, -1)


def test_report_and_picture(tmp_path):
    def agreement(equal: int, asa: float) -> Agreement:
        return Agreement(1000, equal, 0.1, 0, {"asa": asa, "br": 0.002, "bp": 0.0, "co": 0.0})

    alone = {"conv0a": agreement(980, -0.001), "conv0b": agreement(999, 0.0), "conv1a": agreement(997, 0.0)}
    found = Found(("conv0a",), agreement(970, -0.002), agreement(990, -0.0005), alone)
    facts = report(found)
    assert facts["damage"] == pytest.approx({"disagreement": 0.01, "asa_drop": 0.0005, "br_drop": -0.002})
    assert (facts["float_layers"], list(facts["alone"])) == (("conv0a",), list(alone))
    save_bars(found, tmp_path / "a.svg")
    save_bars(found, tmp_path / "b.svg")
    picture = (tmp_path / "a.svg").read_text()
    assert picture == (tmp_path / "b.svg").read_text()
    assert all(text in picture for text in ("conv0a", "2.00%", "0.10%"))
