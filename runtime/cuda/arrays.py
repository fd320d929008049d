"""Arrays in GPU memory, of any library that speaks `__cuda_array_interface__` or DLPack, in and out without a copy."""

import ctypes
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ainet.errors import UsageError

CUDA = 2  # DLPack's number of the device type
LEGACY_STREAM = 1  # its handle, in CUDA and in both protocols


class DeviceArray(Protocol):
    """What type checkers take for an array in GPU memory."""

    @property
    def __cuda_array_interface__(self) -> Any: ...


@dataclass(frozen=True)
class DeviceImages:
    """C-contiguous RGB uint8 (N, H, W, 3) on a GPU. single: it came as (H, W, 3). stream: work in it has to be done before; None:
    nothing. owner: keeps it alive."""

    address: int
    shape: tuple[int, ...]
    single: bool
    stream: int | None
    owner: Any


def is_device_array(array: Any) -> bool:
    """Whether the array is in GPU memory, or says that it is."""
    if hasattr(array, "__dlpack_device__"):
        return int(array.__dlpack_device__()[0]) == CUDA
    return hasattr(array, "__cuda_array_interface__")


def device_image_size(array: Any) -> tuple[int, int]:
    """Height and width of RGB images in GPU memory.

    Raises:
        UsageError: not of shape (H, W, 3) or (N, H, W, 3), or empty.
    """
    shape = tuple(map(int, array.shape if hasattr(array, "shape") else array.__cuda_array_interface__["shape"]))
    _check_shape(shape)
    return shape[-3], shape[-2]


def device_images(array: Any, gpu: int, stream: int) -> DeviceImages:
    """View RGB images that are on GPU number `gpu`. `stream`: a producer that speaks DLPack lets it wait for its own work.

    Raises:
        UsageError: not uint8, not of shape (H, W, 3) or (N, H, W, 3), not C-contiguous, empty, or on another GPU.
    """
    # DLPack first: it orders the streams, which version 2 of the other protocol, that of PyTorch, does not.
    view = _from_dlpack(array, gpu, stream) if hasattr(array, "__dlpack__") else _from_interface(array)
    address, shape, strides, is_uint8, other, owner = view
    _check_shape(shape)
    if not is_uint8:
        raise UsageError("images on the GPU must be uint8, not another type; convert them first")
    if strides is not None and strides != _contiguous(shape):
        raise UsageError("images on the GPU must be C-contiguous; copy them first, e.g. with .contiguous() or ascontiguousarray")
    return DeviceImages(address, (1, *shape)[-4:], len(shape) == 3, other, owner)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) not in (3, 4) or shape[-1] != 3:
        raise UsageError(f"images on the GPU must have the shape (H, W, 3) or (N, H, W, 3), RGB, not {shape}")
    if 0 in shape:
        raise UsageError(f"images must not be empty; the shape is {shape}")


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for side in shape[:0:-1]:
        strides.insert(0, strides[0] * side)
    return tuple(strides)


_View = tuple[int, tuple[int, ...], tuple[int, ...] | None, bool, int | None, Any]


def _from_interface(array: Any) -> _View:
    interface = array.__cuda_array_interface__
    strides = interface.get("strides")
    return (
        interface["data"][0],
        tuple(interface["shape"]),
        None if strides is None else tuple(strides),
        interface["typestr"] == "|u1",
        interface.get("stream", None if interface["version"] >= 3 else LEGACY_STREAM),  # older ones leave it open: the default stream
        array,
    )


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


def _from_dlpack(array: Any, gpu: int, stream: int) -> _View:
    device = tuple(map(int, array.__dlpack_device__()))
    if device != (CUDA, gpu):
        raise UsageError(f"images are on GPU {device[1]}, the model on GPU {gpu}; move one of them")
    try:
        capsule = array.__dlpack__(stream=stream)
    except BufferError as error:  # what the producer cannot share, such as tensors with gradients
        raise UsageError(f"the images on the GPU cannot be shared: {error}") from error
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    tensor = _DLTensor.from_address(pointer(capsule, b"dltensor"))  # first member of a DLManagedTensor; the capsule frees it
    sides = range(tensor.ndim)
    strides = tuple(tensor.strides[i] for i in sides) if tensor.strides else None
    is_uint8 = (tensor.code, tensor.bits, tensor.lanes) == (1, 8, 1)
    return (tensor.data or 0) + tensor.byte_offset, tuple(tensor.shape[i] for i in sides), strides, is_uint8, None, capsule


class DeviceLabels:
    """Labels int32 on a GPU, (N, H, W) or of one image (H, W), complete and ready to read.

    `torch.as_tensor(labels, device="cuda")`, `cupy.asarray(labels)`, `numba.cuda.as_cuda_array(labels)` share the memory, and
    keep it alive.
    """

    def __init__(self, address: int, shape: tuple[int, ...], release: Callable[[int], None]) -> None:
        self.address = address
        self.shape = shape
        self.__cuda_array_interface__ = {
            "shape": shape, "typestr": "<i4", "data": (address, False), "strides": None, "stream": None, "version": 3,
        }  # fmt: skip
        weakref.finalize(self, release, address).atexit = False  # CUDA may be gone by then
