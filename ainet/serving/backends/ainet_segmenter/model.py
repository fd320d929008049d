"""A backend of Triton that runs a Segmenter. Loaded by Triton's python backend, for models whose backend is "ainet_segmenter"."""

import json
from typing import Any

import triton_python_backend_utils as triton

from ainet.errors import NO_MEMORY, AINetError, ImageError
from ainet.segmenter import Segmenter
from ainet.serving.requests import Request, answer, read_request


class TritonPythonModel:
    """One loaded model; the names of the methods are the python backend's."""

    def initialize(self, args: dict[str, str]) -> None:
        parameters = json.loads(args["model_config"])["parameters"]
        model, device = (parameters[name]["string_value"] for name in ("model", "device"))
        self.segmenter = Segmenter.load(model, device)

    def execute(self, requests: list[Any]) -> list[Any]:
        answers = answer(self.segmenter, [_read(request) for request in requests])
        return [_response(result) for result in answers]

    def finalize(self) -> None:
        self.segmenter.close()


def _read(request: Any) -> Request | AINetError:
    tensors = (triton.get_input_tensor_by_name(request, name) for name in ("image", "file", "n_segments"))
    try:
        return read_request(*(None if tensor is None else tensor.as_numpy() for tensor in tensors))
    except AINetError as error:
        return error
    except MemoryError:
        return ImageError(NO_MEMORY)


def _response(result: Any) -> Any:
    if isinstance(result, AINetError):
        return triton.InferenceResponse(error=triton.TritonError(str(result), triton.TritonError.INVALID_ARG))
    return triton.InferenceResponse(output_tensors=[triton.Tensor("labels", result)])
