import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.benchmarks.speed.cases import Case, synthetic_picture
from ainet.benchmarks.speed.stages import WARM_UP, batch_of, time_stages

CASES = [Case(32, 48, 6), Case(64, 64, 16)]


class FakeGpu:
    """A segmenter and its backend, on which each image takes 0.5 ms in the network; batches above `most` do not fit."""

    def __init__(self, most: int = 100) -> None:
        self.backend, self.most = self, most
        self.recording, self.images, self.calls = False, 0, 0

    def __call__(self, image: NDArray[np.uint8], n_segments: int, *, quality: str) -> NDArray[np.int32]:
        if len(image) > self.most:
            raise MemoryError("too little memory")
        self.images += len(image)
        self.calls += 1
        return np.zeros(image.shape[:3], np.int32)

    def record_stages(self) -> None:
        self.recording, self.images = True, 0

    def stage_times(self) -> dict[str, float]:
        assert self.recording
        images, self.images = self.images, 0
        return {"upload": 0.1, "network": 0.5 * images}


class OnTheCpu:
    backend = None

    def __call__(self, image: NDArray[np.uint8], n_segments: int, *, quality: str) -> NDArray[np.int32]:
        raise AssertionError("it has no stages on a GPU")


def test_stages_and_throughput_of_batches() -> None:
    gpu = FakeGpu()
    rows, failures = time_stages({"ainet@cuda": gpu, "ainet": OnTheCpu()}, CASES, [1, 8], 3, synthetic_picture(60, 80))
    assert failures == []
    assert [(row["method"], row["height"], row["n_segments"], row["batch"]) for row in rows] == [
        ("ainet@cuda", case.height, case.n_segments, batch) for case in CASES for batch in (1, 8)
    ]
    assert gpu.calls == 4 * 2 * (WARM_UP + 3)  # without events, and with them
    for row in rows:
        assert row["stages_ms"] == {"upload": 0.1, "network": 0.5 * row["batch"]}
        assert row["images_per_second"] == pytest.approx(row["batch"] / row["seconds"]["median"])


def test_a_batch_that_does_not_fit_is_left_out() -> None:
    methods = {"small": FakeGpu(most=1), "large": FakeGpu()}
    rows, failures = time_stages(methods, CASES[:1], [1, 8], 2, synthetic_picture(60, 80))
    assert [(row["method"], row["batch"]) for row in rows] == [("small", 1), ("large", 1), ("large", 8)]
    assert all("stages_ms" in row for row in rows)
    assert [(row["method"], row["batch"], row["reason"]) for row in failures] == [("small", 8, "MemoryError: too little memory")]


def test_the_images_of_a_batch_differ() -> None:
    images = batch_of(synthetic_picture(60, 80), CASES[0], 4)
    assert images.shape == (4, 32, 48, 3)
    assert len({image.tobytes() for image in images}) == 4
