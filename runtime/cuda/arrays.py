"""Interoperability: arrays of other libraries in GPU memory, by DLPack or `__cuda_array_interface__`, in and out without a copy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ainet.errors import UsageError

if TYPE_CHECKING:
    from ainet.runtime.cuda.gpu import Gpu

CUDA = 2  # DLPack's number of the device type


class DeviceArray(Protocol):
    """What type checkers take for an array in GPU memory."""

    @property
    def __cuda_array_interface__(self) -> Any: ...


@dataclass(frozen=True)
class DeviceImages:
    """C-contiguous RGB uint8 (N, H, W, 3) on a GPU. single: it came as (H, W, 3). owner: keeps it alive."""

    address: int
    shape: tuple[int, ...]
    single: bool
    owner: Any


class DeviceLabels:
    """Labels int32 on a GPU, (N, H, W) or of one image (H, W), complete and ready to read.

    `torch.as_tensor(labels, device="cuda")`, `cupy.asarray(labels)`, `numba.cuda.as_cuda_array(labels)` share the memory, and
    keep it alive.

    buffer: a buffer of cuda-core that holds them and nothing else.
    """

    def __init__(self, buffer: Any, shape: tuple[int, ...]) -> None:
        self._buffer = buffer
        self.address = int(buffer.handle)
        self.shape = shape
        self.__cuda_array_interface__ = {
            "shape": shape, "typestr": "<i4", "data": (self.address, False), "strides": None, "stream": None, "version": 3,
        }  # fmt: skip


def is_device_array(array: Any) -> bool:
    """Whether the array is in GPU memory, or says that it is."""
    if hasattr(array, "__dlpack_device__"):
        try:
            return int(array.__dlpack_device__()[0]) == CUDA
        except Exception:  # it is on a device that DLPack does not know, such as PyTorch's "meta"
            return False
    return hasattr(array, "__cuda_array_interface__")


def device_image_size(array: Any) -> tuple[int, int]:
    """Height and width of RGB images in GPU memory.

    Raises:
        UsageError: not of shape (H, W, 3) or (N, H, W, 3), or empty.
    """
    shape = _shape(array)
    return shape[-3], shape[-2]


def device_images(array: Any, gpu: "Gpu", stream: int) -> DeviceImages:
    """View RGB images that are on that GPU. `stream` waits for the work of the stream that made them.

    Raises:
        UsageError: not uint8, not of shape (H, W, 3) or (N, H, W, 3), not C-contiguous, empty, or on another GPU.
    """
    from cuda.core.utils import StridedMemoryView

    shape = _shape(array)
    if hasattr(array, "__dlpack_device__"):
        device = int(array.__dlpack_device__()[1])
        if device != gpu.index:
            raise UsageError(f"images are on GPU {device}, the model on GPU {gpu.index}; move one of them")
    else:
        gpu.check_address(array.__cuda_array_interface__["data"][0])
    try:
        view = StridedMemoryView.from_any_interface(array, stream_ptr=stream)
    except BufferError as error:  # what the other library cannot share, such as tensors with gradients
        raise UsageError(f"the images on the GPU cannot be shared: {error}") from error
    if view.dtype != "uint8":
        raise UsageError(f"images on the GPU must be uint8, not {view.dtype}; convert them first")
    if view.strides is not None and tuple(view.strides) != _contiguous(shape):
        raise UsageError("images on the GPU must be C-contiguous; copy them first, e.g. with .contiguous() or ascontiguousarray")
    gpu.check_address(view.ptr)
    return DeviceImages(view.ptr, (1, *shape)[-4:], len(shape) == 3, view)


def _shape(array: Any) -> tuple[int, ...]:
    shape = tuple(map(int, array.shape if hasattr(array, "shape") else array.__cuda_array_interface__["shape"]))
    if len(shape) not in (3, 4) or shape[-1] != 3:
        raise UsageError(f"images on the GPU must have the shape (H, W, 3) or (N, H, W, 3), RGB, not {shape}")
    if 0 in shape:
        raise UsageError(f"images must not be empty; the shape is {shape}")
    return shape


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements."""
    strides = [1]
    for length in shape[:0:-1]:
        strides.insert(0, strides[0] * length)
    return tuple(strides)
