"""ONNX Runtime as a backend of Triton, for servers that come without Triton's own, as nvidia-pytriton's does.

Loaded by Triton's python backend. Takes model repositories as `ainet export --triton` writes them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One loaded model; the names of the methods are the python backend's."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self.inputs, self.outputs = ([tensor["name"] for tensor in config[kind]] for kind in ("input", "output"))
        file = Path(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Triton puts requests of one size together, so they run as one batch."""
        arrays = [[triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs] for request in requests]
        batch = [np.concatenate(parts) for parts in zip(*arrays, strict=True)]
        try:
            values = self.session.run(self.outputs, dict(zip(self.inputs, batch, strict=True)))
        except Exception as error:  # the engine's exceptions have no public common base
            message = triton.TritonError(f"ONNX Runtime: {error}", triton.TritonError.INVALID_ARG)
            return [triton.InferenceResponse(error=message) for _ in requests]
        ends = np.cumsum([len(parts[0]) for parts in arrays])[:-1]
        split = zip(*(np.split(value, ends) for value in values), strict=True)
        return [triton.InferenceResponse(output_tensors=list(map(triton.Tensor, self.outputs, parts))) for parts in split]
