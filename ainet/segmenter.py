"""Superpixels in one call:

    labels = ainet.segment(image, n_segments=600)

or with a model that stays loaded:

    with ainet.Segmenter.load(device="auto") as segmenter:
        labels = segmenter(image, n_segments=600)
"""

import operator
import os
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from ainet import __version__
from ainet.errors import DeviceError, ModelError, UsageError
from ainet.images import as_rgb, check_size
from ainet.models import ENGINE, ONNX, Device, model_path
from ainet.runtime.backends import Backend, open_backend
from ainet.runtime.cuda.arrays import DeviceArray, DeviceLabels, device_image_size, is_device_array
from ainet.runtime.model import ModelInfo
from ainet.runtime.pipeline import run_on_device, run_pipeline
from ainet.runtime.plan import Plan, plan_image
from ainet.spec import MEAN


class Segmenter:
    """A model on a device. Reusable, thread safe, and a context manager that releases the engine at its end."""

    def __init__(self, backend: Backend) -> None:
        self._backend: Backend | None = backend
        self.info: ModelInfo = backend.info
        self.device: str = backend.name  # engine and device, such as "OpenVINO (CPU)"

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, device: str = "auto", threads: int = 0) -> "Segmenter":
        """Load an exported ONNX model, or the bundled AINet.

        Args:
            model: path of an ONNX file made by `ainet export`, or for device "tensorrt" of an engine made by `ainet build`; for
                the torch devices, of a checkpoint. "ainet" or "scn": the bundled weights; None: those of AINet.
            device: "auto" (the fastest that works), "cpu", "cuda", "cuda:N", "openvino", "tensorrt", "tensorrt:N", "torch",
                or "torch:DEVICE".
            threads: of the CPU for one inference, 0 for all cores.

        Raises:
            UsageError: `device` has none of these forms, or `threads` is negative.
            DeviceError: the device or its engine is not there.
            ModelError: the model is missing, damaged, or of the wrong kind.
        """
        chosen = Device.parse(device)
        path = model_path(model, chosen)
        if chosen.engine == "torch":
            if path.suffix == ONNX:
                raise ModelError(f"{path} is an ONNX file, but device '{device}' runs checkpoints; name one, or another device")
            return cls(open_torch(path, chosen.torch))
        if path.suffix not in (ONNX, ENGINE) and path.is_file():
            raise ModelError(f"{path} is not an ONNX file; make one with: ainet export {path} -o {path.stem}.onnx")
        return cls(open_backend(path, device, threads))

    @property
    def backend(self) -> Backend:
        """The engine.

        Raises:
            UsageError: this Segmenter is closed.
        """
        if self._backend is None:
            raise UsageError("this Segmenter is closed; load another")
        return self._backend

    def plan(
        self, height: int, width: int, n_segments: SupportsIndex = 600, *, scale: float | None = None, protocol: str | None = None
    ) -> Plan:
        """The sizes that an image of `height` x `width` pixels would run at; arguments as for a call.

        Raises:
            ImageError: the image is too small.
            UsageError: an argument out of range.
        """
        return plan_image(height, width, n_segments, scale=scale, protocol=protocol)

    @overload
    def __call__(
        self,
        image: DeviceArray,
        n_segments: SupportsIndex = ...,
        *,
        scale: float | None = ...,
        protocol: str | None = ...,
        start_label: SupportsIndex = ...,
    ) -> DeviceLabels: ...

    @overload
    def __call__(
        self,
        image: list[NDArray[Any]] | tuple[NDArray[Any], ...],
        n_segments: SupportsIndex = ...,
        *,
        scale: float | None = ...,
        protocol: str | None = ...,
        start_label: SupportsIndex = ...,
    ) -> list[NDArray[np.int32]]: ...

    @overload
    def __call__(
        self,
        image: Any,
        n_segments: SupportsIndex = ...,
        *,
        scale: float | None = ...,
        protocol: str | None = ...,
        start_label: SupportsIndex = ...,
    ) -> NDArray[np.int32]: ...

    def __call__(
        self,
        image: Any,
        n_segments: SupportsIndex = 600,
        *,
        scale: float | None = None,
        protocol: str | None = None,
        start_label: SupportsIndex = 0,
    ) -> NDArray[np.int32] | list[NDArray[np.int32]] | DeviceLabels:
        """Segment an image, a batch of equal size, or a list of images of any sizes into superpixels.

        Args:
            image: (H, W) or (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA, uint8 in [0, 255] or float in [0, 1], from
                16 x 16 to 67 megapixels; a batch (N, H, W, 3) of uint8 RGB; or a list of arrays, one image each. Devices that are
                a GPU also take arrays in its memory without a copy: RGB uint8 (H, W, 3) or (N, H, W, 3), C-contiguous, of PyTorch,
                CuPy, Numba, or any library with DLPack or `__cuda_array_interface__`.
            n_segments: about how many superpixels, 4 to a quarter of the pixels.
            scale: instead of a count: size of the working image relative to the image; a superpixel is 16 x 16 working pixels.
            protocol: "public" repeats the evaluation protocol of the public SCN and AINet code at `scale` (default 1).
            start_label: the first label; 0 for an array on a GPU.

        Returns:
            labels (H, W) or (N, H, W), int32, consecutive from `start_label` in order of first appearance; each label is
            one 4-connected region. So `labels.max() - start_label + 1` is the actual count. Of a list of images, a list of label
            maps. Labels of an array on a GPU stay there, as `DeviceLabels`.

        Raises:
            ImageError: an image of another shape, type or size.
            UsageError: an argument out of range; an array on a GPU that the device cannot read.
        """
        backend = self.backend
        first = _checked_start(start_label)
        if _is_list_of_images(image):
            return [self(one, n_segments, scale=scale, protocol=protocol, start_label=start_label) for one in image]
        if is_device_array(image):
            if first != 0:
                raise UsageError(f"labels on a GPU start at 0, not at start_label={first}; add it to them there")
            height, width = device_image_size(image)
            check_size(height, width)
            return run_on_device(backend, image, plan_image(height, width, n_segments, scale=scale, protocol=protocol))
        is_batch = np.ndim(image) == 4
        if is_batch and len(image) == 0:
            raise UsageError("an empty batch: pass at least one image")
        images = np.stack([as_rgb(one) for one in image]) if is_batch else as_rgb(image)[None]
        height, width = images.shape[1:3]
        labels = run_pipeline(backend, images, plan_image(height, width, n_segments, scale=scale, protocol=protocol))
        labels += first
        return labels if is_batch else labels[0]

    def close(self) -> None:
        """Release the engine; later calls raise `UsageError`."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def __enter__(self) -> "Segmenter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def segment(
    image: Any, n_segments: SupportsIndex = 600, *, scale: float | None = None, protocol: str | None = None, start_label: SupportsIndex = 0
) -> NDArray[np.int32]:
    """Segment an image into superpixels with the bundled AINet on the fastest device that works; see `Segmenter.__call__`."""
    return _default_segmenter()(image, n_segments, scale=scale, protocol=protocol, start_label=start_label)


@cache
def _default_segmenter() -> Segmenter:
    return Segmenter.load()


def _is_list_of_images(image: Any) -> bool:
    """Whether this is a list of arrays of two and more axes: one of numbers, or of rows, is itself an array."""
    return isinstance(image, list | tuple) and len(image) > 0 and getattr(image[0], "ndim", 0) >= 2


def _checked_start(start_label: SupportsIndex) -> np.int32:
    try:
        first = operator.index(start_label)
    except TypeError:
        raise UsageError(f"start_label must be an integer, not {start_label!r}") from None
    if abs(first) > 2**30:
        raise UsageError(f"start_label={first} is out of range: labels are 32-bit integers; choose -2**30 to 2**30")
    return np.int32(first)


def open_torch(checkpoint: Path, device: str = "cpu") -> Backend:
    """Open a checkpoint with PyTorch in float32, on a device in its words; errors as of `Segmenter.load`."""
    try:
        from ainet.runtime.backends.pytorch import TorchBackend, open_cuda
        from ainet.training.checkpoint import load_checkpoint
    except ImportError as error:
        raise DeviceError(f"device 'torch' needs the package {error.name}: pip install 'ainet-toolkit[train]'") from error
    loaded = load_checkpoint(checkpoint)
    info = ModelInfo(loaded.name, "logits", "fp32", MEAN, loaded.sha256, loaded.config, __version__)
    gpu = Device.parse(f"torch:{device}").gpu
    return TorchBackend(loaded.network, info, device) if gpu is None else open_cuda(loaded.network, info, gpu)
