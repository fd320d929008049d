"""What a server does with requests that arrive together, without a server."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS

import ainet
from ainet import Segmenter
from ainet.errors import AINetError, ImageError, UsageError
from ainet.serving.requests import DEFAULT_SEGMENTS, Request, answer, read_request
from ainet.serving.server import check_environment


def files(*content: bytes) -> NDArray[np.object_]:
    return np.array([[data] for data in content], object)


def counts(*values: int) -> NDArray[np.int32]:
    return np.array([[value] for value in values], np.int32)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTOS / "chelsea.jpg")[40:200, 100:340]


def test_images_and_files_are_read(photo: NDArray[np.uint8]) -> None:
    request = read_request(np.stack([photo, photo[::-1]]), None, counts(40, 60))
    assert request.counts == (40, 60)
    png = cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes()
    request = read_request(None, files(png), None)
    np.testing.assert_array_equal(request.images, photo[None])
    assert request.counts == (DEFAULT_SEGMENTS,)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((None, None, counts(5)), UsageError, "either"),
        ((np.zeros((1, 20, 20, 3), np.uint8), files(b""), None), UsageError, "either"),
        ((None, files(b"no image"), None), ImageError, "the file sent"),
        ((None, files((PHOTOS / "chelsea.jpg").read_bytes()[:3000]), None), ImageError, "the file sent"),
        ((None, files((PHOTOS / "chelsea.jpg").read_bytes(), (PHOTOS / "coffee.jpg").read_bytes()), None), ImageError, "differ in size"),
        ((np.broadcast_to(np.uint8(0), (1, 9000, 9000, 3)), None, None), ImageError, "9000x9000"),
    ],
)
def test_requests_that_cannot_be(arguments: Any, kind: type[AINetError], message: str) -> None:
    with pytest.raises(kind, match=message):
        read_request(*arguments)


def test_equal_ones_run_together_and_bad_ones_fail_alone(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    batches = []

    def segment(images: NDArray[np.uint8], count: int) -> NDArray[np.int32]:
        batches.append((images.shape[:3], count))
        return segmenter(images, count)

    small = photo[:100, :120]
    broken = ImageError("broken")
    results = answer(
        segment,
        [
            Request(np.stack([photo, small.repeat(2, 0)[:160].repeat(2, 1)[:, :240]]), (40, 60)),
            broken,
            Request(photo[None], (40,)),
            Request(photo[None], (0,)),
            Request(small[None], (40,)),
        ],
    )
    assert batches == [((2, 160, 240), 40), ((1, 160, 240), 60), ((1, 160, 240), 0), ((1, 100, 120), 40)]
    first, second, third, fourth, fifth = results
    assert not isinstance(first, AINetError)
    np.testing.assert_array_equal(first[0], segmenter(photo, 40))
    np.testing.assert_array_equal(first[1], segmenter(small.repeat(2, 0)[:160].repeat(2, 1)[:, :240], 60))
    assert second is broken
    np.testing.assert_array_equal(third, segmenter(photo, 40)[None])
    assert isinstance(fourth, UsageError)
    np.testing.assert_array_equal(fifth, segmenter(small, 40)[None])


def test_too_little_memory_is_an_error_of_those_requests(photo: NDArray[np.uint8]) -> None:
    def segment(images: NDArray[np.uint8], count: int) -> NDArray[np.int32]:
        if count == 50:
            raise MemoryError
        return np.zeros(images.shape[:3], np.int32)

    bad, good = answer(segment, [Request(photo[None], (50,)), Request(photo[None], (40,))])
    assert isinstance(bad, ImageError)
    assert not isinstance(good, AINetError)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="numpy 1 is what the server needs")
def test_numpy_2_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytriton").mkdir()
    (tmp_path / "pytriton/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AINetError, match=f"numpy {np.__version__}"):
        check_environment()
