"""The interface of an inference engine."""

from typing import Any, Protocol

from numpy.typing import NDArray

from ainet.runtime.model import ModelInfo


class Backend(Protocol):
    """A model, loaded and ready on one device. `run` may be called from several threads at once.

    name: engine and device, for people, such as "ONNX Runtime (CPU)".
    """

    info: ModelInfo
    name: str

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Normalised float32 (N, 3, h, w) -> float32 scores (N, 9, h, w).

        A model whose output is "labels": RGB uint8 (N, h, w, 3) -> int32 cell ids (N, h, w).
        """
        ...

    def close(self) -> None:
        """Release what the engine holds; `run` must not be called again."""
        ...
