"""The benchmarks that need no data, with few repeats: what they return hangs together."""

from pathlib import Path

import pytest
from PIL import Image
from support.paths import PHOTOS

from ainet.benchmarks.speed.postprocessing import PEER, postprocessing
from ainet.benchmarks.speed.startup import startup
from ainet.benchmarks.speed.throughput import throughput
from ainet.benchmarks.speed.training_speed import some_samples, training_speed
from ainet.errors import DeviceError, ImageError, UsageError
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


def test_throughput(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee.jpg", "chelsea.jpg"):
        Image.open(PHOTOS / name).resize((80, 64)).save(folder / name)
    (folder / "clip.mp4").write_text("what segment would take for a video, and the others would not")
    said: list[str] = []
    ours = {"ainet-lite": ["--model", "ainet-lite"]}
    result = throughput(folder, 40, jobs=1, repeats=1, on_skip=said.append, ours=ours, peers=["slic-cv"])
    assert result["settings"]["photos"] == 2
    assert [line for line in said if "clip.mp4" in line]
    rows = {row["method"]: row for row in result["rows"]}
    assert list(rows) == ["ainet-lite", "slic-cv"]
    assert rows["slic-cv"]["/ slic-cv"] == 1
    assert all(row["photos_per_second"] > 0 for row in rows.values())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no images"):
        throughput(tmp_path / "empty", 40, jobs=1, repeats=1)


def test_training_speed() -> None:
    recipe = Recipe("tiny", iterations=100, batch_size=1, lr=1e-3, crop=32, boundary="paper")
    result = training_speed("ainet", recipe, some_samples(None)[:2], "cpu", steps=2)
    assert set(result["parts_seconds"]) == {"data", "network", "loss"}
    assert result["iterations_per_second"] == pytest.approx(1 / result["seconds_per_step"])
    assert result["hours_of_the_recipe"] == pytest.approx(100 * result["seconds_per_step"] / 3600)
    with pytest.raises(UsageError, match="unknown network 'ssn'; choose one of ainet"):
        training_speed("ssn", recipe, some_samples(None)[:2], "cpu", steps=2)
