"""The benchmarks that need no data, with few repeats: what they return hangs together."""

import pytest
from support.paths import PHOTOS

from ainet.benchmarks.speed.postprocessing import PEER, postprocessing
from ainet.benchmarks.speed.startup import startup
from ainet.benchmarks.speed.training_speed import some_samples, training_speed
from ainet.errors import DeviceError
from ainet.training.recipe import Recipe

pytestmark = pytest.mark.slow


def test_postprocessing() -> None:
    pytest.importorskip("skimage")
    result = postprocessing(repeats=3)
    assert list(result["median_ms"])[:2] == [PEER, "resize + normalise"]
    assert len(result["median_ms"]) == 7
    assert all(ms > 0 for ms in result["median_ms"].values())
    assert result["ratio"] > 0


def test_startup() -> None:
    result = startup(PHOTOS / "coffee.jpg", "cpu", repeats=1)
    assert result["seconds"]["segment_photo"] > result["seconds"]["import_ainet"]
    assert result["seconds"]["segment_photo_without_cache"] > 0
    with pytest.raises(DeviceError, match="no-such-photo"):
        startup(PHOTOS / "no-such-photo.jpg", "cpu", repeats=1)


def test_training_speed() -> None:
    recipe = Recipe("tiny", iterations=100, batch_size=1, lr=1e-3, crop=32)
    result = training_speed("ainet", recipe, some_samples(None)[:2], "cpu", steps=2)
    assert set(result["parts_seconds"]) == {"data", "network", "loss"}
    assert result["iterations_per_second"] == pytest.approx(1 / result["seconds_per_step"])
    assert result["hours_of_the_recipe"] == pytest.approx(100 * result["seconds_per_step"] / 3600)
