"""The interface of an inference engine."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.runtime.cuda.arrays import DeviceLabels
from ainet.runtime.merging import MergeModel
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import Plan
from ainet.runtime.quarters import CHANNELS, in_quarters
from ainet.spec import NEIGHBOURS


class Backend(Protocol):
    """A model, loaded and ready on one device. `run` may be called from several threads at once.

    name: engine and device, for people, such as "ONNX Runtime (CPU)".
    """

    info: ModelInfo
    name: str

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Normalised float32 (N, 3, h, w) -> float32 scores (N, 9, h, w), or these in quarters, see `ainet.runtime.quarters`.

        A model whose output is "labels": RGB uint8 (N, h, w, 3) -> int32 cell ids (N, h, w).

        Raises:
            DeviceError: the engine fails on this input.
        """
        ...

    def close(self) -> None:
        """Release what the engine holds. Runs that are under way end as usual, later ones raise `UsageError`."""
        ...


@runtime_checkable
class LabelBackend(Backend, Protocol):
    """An engine that takes the whole way from images to labels by itself, on a GPU."""

    def labels(self, images: NDArray[np.uint8], plan: Plan) -> NDArray[np.int32]:
        """RGB images (N, H, W, 3) of the plan's size -> labels (N, H, W); of a plan that is not `in_tiles`.

        Raises:
            ModelError: the model does not take the plan's working size.
            DeviceError: the engine fails on this input.
        """
        ...

    def device_labels(self, images: Any, plan: Plan) -> DeviceLabels:
        """The same for images in GPU memory, RGB uint8 (N, H, W, 3) or (H, W, 3), whose labels, (N, H, W) or (H, W), stay there.

        Raises:
            UsageError: the images are of another shape, size or type, or on another GPU.
        """
        ...


@runtime_checkable
class MergingBackend(Backend, Protocol):
    """An engine that can give the border map of a model file beside its scores.

    merge_model: the cost by which the superpixels of the model merge; None where the file holds none, and no border map.
    """

    merge_model: MergeModel | None

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """As `run`; and the border map, float32 (N, h/2, w/2, C). Not to be called where `merge_model` is None."""
        ...


def merge_model(entry: str | None, outputs: int, source: object) -> MergeModel | None:
    """The cost that the metadata entry `MERGING_ENTRY` of the file `source` holds; None without an entry, or a border map as 2nd output.

    Raises:
        ModelError: the entry is damaged.
    """
    return None if entry is None or outputs < 2 else MergeModel.from_json(entry, source)


def failed(engine: object, shape: Sequence[int], reason: str, kind: type[DeviceError] = DeviceError) -> DeviceError:
    """The error of an engine that cannot run an input of this shape, such as for lack of memory.

    kind: its class; an `OutOfMemoryError` lets a `GpuPipeline` try fewer images.
    """
    return kind(f"{engine} failed on an input of {'x'.join(map(str, shape))}: {reason}; try a smaller one")


def closed(engine: str) -> UsageError:
    """The error of a run after `close`."""
    return UsageError(f"this model on {engine} is closed; load it again")


def check_output(output: NDArray[Any], image: NDArray[Any], backend: Backend) -> None:
    """Raise unless an output has the shape that the input asks for, and numbers.

    Raises:
        DeviceError: it has another size.
        ModelError: it has other axes or channels; NaN in the first pixel; what is wrong with weights is so in all pixels.
    """
    check_output_shape(output, image, backend)
    if not (backend.info.output == "labels" or np.isfinite(output[:, :, 0, 0]).all()):
        raise ModelError(
            f"the model gives NaN or infinite scores on {backend.name}: its weights are damaged, or too large for its precision; "
            "export it again"
        )


def check_output_shape(output: NDArray[Any], image: NDArray[Any], backend: Backend) -> None:
    """Raise for another shape than the input asks for.

    Raises:
        ModelError: of other axes or channels, as of a graph that someone has changed.
        DeviceError: of another size: OpenVINO has given back an earlier output when short of memory.
    """
    batch, height, width = _sizes(image, backend)
    if backend.info.output == "labels":
        expected: tuple[int, ...] = (batch, height, width)
    elif in_quarters(output):
        expected = (batch, CHANNELS, height // 2, width // 2)
    else:
        expected = (batch, NEIGHBOURS, height, width)
    channels_differ = len(expected) == 4 and output.shape[1:2] != expected[1:2]
    if output.ndim != len(expected) or channels_differ:  # which no lack of memory changes
        raise ModelError(
            f"the model gives an output of {output.shape} where {expected} belongs, so it was changed since its export; export it again"
        )
    _check_shape(output, expected, backend)


def check_map(border_map: NDArray[np.float32], image: NDArray[Any], backend: MergingBackend) -> None:
    """The same of the border map (N, h/2, w/2, C).

    Raises:
        ModelError: it has other channels than the model's cost takes.
        DeviceError: it has another shape.
    """
    channels = 0 if backend.merge_model is None else backend.merge_model.channels
    if border_map.ndim == 4 and border_map.shape[3] != channels:
        raise ModelError(f"the model's border map has {border_map.shape[3]} channels, but its cost takes {channels}; export it again")
    batch, height, width = _sizes(image, backend)
    _check_shape(border_map, (batch, height // 2, width // 2, channels), backend)


def _sizes(image: NDArray[Any], backend: Backend) -> tuple[int, int, int]:
    """How many images an input holds, their height and width."""
    height, width = image.shape[1:3] if backend.info.output == "labels" else image.shape[2:]
    return image.shape[0], height, width


def _check_shape(output: NDArray[Any], expected: tuple[int, ...], backend: Backend) -> None:
    if output.shape != expected:
        raise DeviceError(
            f"{backend.name} gave an output of {output.shape} where {expected} was asked for; "
            "free memory of other programs, or try a smaller image; if it is so at every size, export the model again"
        )


def first_line(error: BaseException) -> str:
    """What of an engine's error a user should read: no C++ trace."""
    if "bad_alloc" in str(error):
        return "there is not enough memory"
    for line in str(error).splitlines():
        if line.strip() and not line.startswith("Exception from"):  # OpenVINO's places in its source
            return line.strip()[:300]
    return type(error).__name__
