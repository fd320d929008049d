"""The backend that Triton loads, with a stand-in for the module that Triton gives it."""

import json
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS

import ainet
from ainet import Segmenter
from ainet.errors import NO_MEMORY


@dataclass
class Tensor:
    name: str
    values: Any

    def as_numpy(self) -> Any:
        return self.values


class TooLarge(Tensor):
    def as_numpy(self) -> Any:
        raise MemoryError


@dataclass
class TritonError:
    INVALID_ARG = 3

    message: str
    code: int


@dataclass
class InferenceResponse:
    output_tensors: list[Tensor] = field(default_factory=list)
    error: TritonError | None = None


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    triton: Any = ModuleType("triton_python_backend_utils")
    triton.Tensor, triton.TritonError, triton.InferenceResponse = Tensor, TritonError, InferenceResponse
    triton.get_input_tensor_by_name = lambda request, name: request.get(name)
    monkeypatch.setitem(sys.modules, triton.__name__, triton)
    from ainet.serving.backends.ainet_segmenter.model import TritonPythonModel

    model = TritonPythonModel()
    parameters = {"model": {"string_value": "ainet-lite"}, "device": {"string_value": "cpu"}}
    model.initialize({"model_config": json.dumps({"parameters": parameters})})
    yield model
    model.finalize()


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTOS / "chelsea.jpg")[40:104, 100:196]


def request(*tensors: Tensor) -> dict[str, Tensor]:
    return {tensor.name: tensor for tensor in tensors}


def test_bad_requests_fail_alone(model: Any, segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    file = cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes()
    count = Tensor("n_segments", np.array([[20]], np.int32))
    requests = [
        request(Tensor("image", photo[None]), count),
        request(TooLarge("file", None), count),
        request(Tensor("file", np.array([[b"no image"]], object)), count),
        request(Tensor("file", np.array([[file]], object)), count),
    ]
    first, too_large, broken, fourth = model.execute(requests)
    for answer in (first, fourth):
        (labels,) = answer.output_tensors
        assert (labels.name, answer.error) == ("labels", None)
        np.testing.assert_array_equal(labels.values, segmenter(photo, 20)[None])
    assert too_large.error == TritonError(NO_MEMORY, TritonError.INVALID_ARG)
    assert broken.error.message.startswith("the file sent is not an image")


def test_too_little_memory_for_a_file(model: Any, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    file = cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes()

    def load(_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    requests = [request(Tensor("file", np.array([[file]], object))), request(Tensor("image", photo[None]))]
    bad, good = model.execute(requests)
    assert bad.error == TritonError(NO_MEMORY, TritonError.INVALID_ARG)
    assert good.output_tensors[0].values.shape == (1, 64, 96)
