"""Superpixels with a model that stays loaded:

with ainet.Segmenter.load(device="auto") as segmenter:
    labels = segmenter(image, n_segments=600)
"""

import os
from types import TracebackType
from typing import Any, SupportsIndex, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from ainet.arguments import (
    check_on_device,
    check_one_image,
    check_quality,
    checked_integer,
    checked_start,
    checked_threads,
    is_list_of_images,
)
from ainet.decoding import MAX_DECODED_PIXELS, check_size
from ainet.errors import DeviceError, UsageError
from ainet.images import as_array, as_mask, as_rgb, as_rgb_batch, as_rgb_inside
from ainet.merge_tree import Hierarchy, tree_of_image
from ainet.models import Device, absolute_model, int8_path, model_path
from ainet.opening import Unopened, open_model, reopened
from ainet.runtime.association import Association
from ainet.runtime.association import association as association_map
from ainet.runtime.backends import Backend
from ainet.runtime.cuda.arrays import DeviceArray, DeviceLabels, device_image_size, is_device_array
from ainet.runtime.model import ModelInfo
from ainet.runtime.oversegmentation import plan_finer
from ainet.runtime.partition import parts_of
from ainet.runtime.pipeline import run_on_device, run_pipeline
from ainet.runtime.plan import Plan, plan_image
from ainet.runtime.threads import usable_cores


class Options(TypedDict, total=False):
    """Options of a call, see `Segmenter.__call__`."""

    scale: float | None
    protocol: str | None
    quality: str | None
    compact: bool
    start_label: SupportsIndex | None


class OneImageOptions(Options, total=False):
    """Options of a call with one image."""

    mask: Any
    within: Any


class Segmenter:
    """A model on a device. Reusable, thread safe, and a context manager that releases the engine at its end.

    What `load` gives can be pickled, as its arguments: another process opens the model anew. A fork cannot use it, as the engine's
    threads are not in the copy.
    """

    def __init__(self, backend: Backend, threads: int = 0) -> None:
        self._backend: Backend | None = backend
        self._threads = threads or usable_cores()  # of the CPU, for the steps around the network
        self._process = os.getpid()
        self._arguments: tuple[str | None, str, int, str] | None = None  # of `load`
        self.info: ModelInfo = backend.info
        self.device: str = backend.name  # engine and device, such as "OpenVINO (CPU)"

    @classmethod
    def load(
        cls, model: str | os.PathLike[str] | None = None, device: str = "auto", threads: int = 0, precision: str = "auto"
    ) -> "Segmenter":
        """Load an exported ONNX model, or bundled weights.

        Args:
            model: path of an ONNX file made by `ainet export`, or for device "tensorrt" of an engine made by `ainet build`; for
                the torch devices, of a checkpoint. "ainet", "ainet-lite" or "scn": the bundled weights; None: "ainet-lite".
            device: "auto" (the fastest that works), "cpu", "cuda", "cuda:N", "openvino", "tensorrt", "tensorrt:N", "torch",
                or "torch:DEVICE".
            threads: of the CPU for one inference, 0 for all cores, or as many as a container's quota of processor time is worth. On the
                torch devices of the steps around the network alone: PyTorch keeps its own number, `torch.set_num_threads`.
            precision: of the bundled weights. "auto": INT8 on OpenVINO where the processor computes it exactly, else float32; "fp32". A
                file runs in the precision that it has. "fp16": of any checkpoint on "torch:cuda".

        Raises:
            UsageError: `device` or `precision` has none of these forms, or `threads` is no integer from 0 to
                4,096; "fp16" of another device.
            DeviceError: the device or its engine is not there.
            ModelError: the model is missing, damaged, or of the wrong kind.
        """
        chosen = Device.parse(device)
        path, int8 = model_path(model, chosen), int8_path(model, chosen, precision)
        threads = checked_threads(threads)
        segmenter = cls(open_model(path, chosen, device, threads, precision, int8), threads)
        segmenter._arguments = (None if model is None else absolute_model(model), device, threads, precision)
        return segmenter

    def __reduce__(self) -> tuple[Any, ...]:
        self.backend  # noqa: B018  # a closed one has nothing to hand on
        if self._arguments is None:
            raise UsageError("a Segmenter made of an engine cannot be pickled; make it with Segmenter.load")
        return reopened, (Segmenter.load, Segmenter, self._arguments, self.info, self.device)

    @property
    def backend(self) -> Backend:
        """The engine.

        Raises:
            UsageError: this Segmenter is closed.
            DeviceError: it was loaded before this process was forked.
            AINetError: it was pickled, and cannot be opened here.
        """
        if self._backend is None:
            raise UsageError("this Segmenter is closed; load another")
        if self._process != os.getpid():
            raise DeviceError(
                f"this Segmenter was loaded in process {self._process}, of which this one is a fork without its engine's threads; "
                "load one here, or start processes with multiprocessing's method 'spawn'"
            )
        if isinstance(self._backend, Unopened):
            raise self._backend.error
        return self._backend

    def plan(
        self,
        height: int,
        width: int,
        n_segments: SupportsIndex = 600,
        *,
        scale: float | None = None,
        protocol: str | None = None,
        quality: str | None = None,
        compact: bool = False,
    ) -> Plan:
        """The sizes that an image of `height` x `width` pixels would run at; arguments as for a call.

        Raises:
            ImageError: the image is too small, or has over 1,074 megapixels.
            UsageError: an argument out of range.
        """
        height, width = checked_integer("height", height), checked_integer("width", width)
        check_size(height, width)
        if check_quality(quality, scale, protocol) == "best":
            return plan_finer(height, width, n_segments, height * width, compact=compact)
        return plan_image(height, width, n_segments, scale=scale, protocol=protocol, compact=compact)

    @overload
    def __call__(self, image: DeviceArray, n_segments: SupportsIndex = ..., **options: Unpack[Options]) -> DeviceLabels: ...

    @overload
    def __call__(
        self, image: list[NDArray[Any]] | tuple[NDArray[Any], ...], n_segments: SupportsIndex = ..., **options: Unpack[Options]
    ) -> list[NDArray[np.int32]]: ...

    @overload
    def __call__(self, image: Any, n_segments: SupportsIndex = ..., **options: Unpack[OneImageOptions]) -> NDArray[np.int32]: ...

    def __call__(
        self,
        image: Any,
        n_segments: SupportsIndex = 600,
        *,
        scale: float | None = None,
        protocol: str | None = None,
        quality: str | None = None,
        compact: bool = False,
        mask: Any = None,
        within: Any = None,
        start_label: SupportsIndex | None = None,
    ) -> NDArray[np.int32] | list[NDArray[np.int32]] | DeviceLabels:
        """Segment an image, a batch of equal size, or a list of images of any sizes into superpixels.

        Args:
            image: (H, W) or (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA, uint8 in [0, 255] or float in [0, 1], from
                16 x 16 to 1,074 megapixels (on a GPU 67), as any library's array or as a Pillow image, which is read as its file is;
                a batch (N, H, W, 3) of uint8 RGB; or a list of images. Devices that are
                a GPU also take arrays in its memory without a copy: RGB uint8 (H, W, 3) or (N, H, W, 3), C-contiguous, of PyTorch,
                CuPy, Numba, or any library with DLPack or `__cuda_array_interface__`.
            n_segments: how many superpixels, exactly: 1 to a quarter of the pixels; for quality "fast" about so many, from 4 on.
            scale: instead of a count: size of the working image relative to the image; a superpixel is 16 x 16 working pixels.
            protocol: "public" repeats the evaluation protocol of the public SCN and AINet code at `scale` (default 1).
            quality: "best": more superpixels than asked for, merged down to the count by a learned cost, in twice the time
                of "fast" from 600 on, and up to eight times that below;
                "fast": those of a grid of about as many cells, as with `scale` and `protocol`, for an array on a GPU the only one.
            compact: superpixels of more even shapes, with smoother outlines, which follow weak edges less closely; not on a GPU.
            mask: (H, W) bool, of one image: superpixels are wanted inside it only, and none crosses its border; floats outside it may
                be NaN; or "alpha": where the alpha channel of an RGBA image is not 0. The mask of a `numpy.ma` array counts as one of
                what is outside.
            within: (H, W) integers, of one image: a label map whose borders no superpixel crosses.
            start_label: the first label, by default 0, and 1 with a mask; 0 for an array on a GPU.

        Returns:
            labels (H, W) or (N, H, W), int32, consecutive from `start_label` in order of first appearance, 0 outside a mask; each
            label is one 4-connected region. So `labels.max() - start_label + 1` is the actual count. Of a list of images, a list of
            label maps. Labels of an array on a GPU stay there, as `DeviceLabels`.

        Raises:
            ImageError: an image of another shape, type or size.
            UsageError: an argument out of range; an array on a GPU that the device cannot read.
        """
        backend = self.backend
        if is_list_of_images(image):
            check_one_image(mask, within)
            options: dict[str, Any] = {"scale": scale, "protocol": protocol, "quality": quality, "compact": compact}
            return [self(one, n_segments, start_label=start_label, **options) for one in image]
        if is_device_array(image):
            check_on_device(quality, mask, within, start_label)
            height, width = device_image_size(image)
            check_size(height, width, most=MAX_DECODED_PIXELS)
            return run_on_device(backend, image, plan_image(height, width, n_segments, scale=scale, protocol=protocol, compact=compact))
        image = image if isinstance(image, Image) else as_array(image)
        is_batch = getattr(image, "ndim", 0) == 4
        if is_batch:
            check_one_image(mask, within)
        else:
            mask = as_mask(image, mask)
        exact = check_quality(quality, scale, protocol) == "best"
        if not exact and not (mask is None and within is None):
            raise UsageError("a mask and within= need quality='best', and go with n_segments= alone")
        default = 0 if mask is None else 1
        first = checked_start(default if start_label is None else start_label)
        if mask is not None and first < 1:
            raise UsageError(f"start_label={first} with a mask: 0 stands for what is outside it; choose 1 or more")
        images = as_rgb_batch(image) if is_batch else as_rgb_inside(image, mask)[None]
        if exact:
            parts = parts_of(images[0], mask, within)
            count = checked_integer("n_segments", n_segments)
            trees = (tree_of_image(backend, one, count, parts, compact, self._threads, left=count) for one in images)
            labels = np.stack([tree.cut(count) for tree in trees])
        else:
            height, width = images.shape[1:3]
            plan = plan_image(height, width, n_segments, scale=scale, protocol=protocol, compact=compact)
            labels = run_pipeline(backend, images, plan, self._threads)
        if mask is not None:
            labels = np.where(labels < 0, np.int32(0), labels + first)
        elif first != 0:
            labels += first
        return labels if is_batch else labels[0]

    def hierarchy(
        self, image: Any, n_segments: SupportsIndex = 600, *, compact: bool = False, mask: Any = None, within: Any = None
    ) -> Hierarchy:
        """Superpixels of one image and their merge tree, from which any smaller count can be cut.

        Args:
            image, compact, mask, within: as for a call.
            n_segments: the largest count that will be asked for; the tree starts from more, see `Hierarchy.max_segments`.

        Raises:
            ImageError, UsageError: as for a call.
        """
        if is_device_array(image):
            raise UsageError("the image is on a GPU, where there is no merging; copy it to the host")
        image = image if isinstance(image, Image) else as_array(image)
        mask = as_mask(image, mask)
        picture = as_rgb_inside(image, mask)
        return tree_of_image(self.backend, picture, n_segments, parts_of(picture, mask, within), compact, self._threads)

    def association(self, image: Any, n_segments: SupportsIndex = 600, *, scale: float | None = None) -> Association:
        """The association map Q of one image: for every pixel the probabilities of the nine grid cells around it.

        Args:
            image: as for a call, on the host.
            n_segments: about how many cells, from 4 on; scale: in place of a count, size of the working image relative to the image.

        Returns:
            probabilities (9, h, w) float32 at the working size, and the cells that they are of; see `ainet.runtime.association`.

        Raises:
            ImageError, UsageError: as for a call.
            ModelError: the model gives cell ids alone.
        """
        if is_device_array(image):
            raise UsageError("the image is on a GPU, where there is no association map; copy it to the host")
        picture = as_rgb(image)
        height, width = picture.shape[:2]
        return association_map(self.backend, picture, plan_image(height, width, n_segments, scale=scale))

    def close(self) -> None:
        """Release the engine; later calls raise `UsageError`. Does nothing in a fork, where the engine's threads are not there to end."""
        if self._backend is not None and self._process == os.getpid():
            self._backend.close()
            self._backend = None

    def __enter__(self) -> "Segmenter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
