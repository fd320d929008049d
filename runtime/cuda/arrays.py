"""Arrays in GPU memory, of any library that speaks `__cuda_array_interface__` or DLPack, in and out without a copy."""

import ctypes
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ainet.errors import UsageError

CUDA = 2  # DLPack's number of the device type
LEGACY_STREAM, PER_THREAD_STREAM = 1, 2  # handles that both protocols name


@dataclass(frozen=True)
class DeviceImages:
    """C-contiguous RGB uint8 (N, H, W, 3) on a GPU. stream: work in it has to be done before; None: nothing. owner: keeps it alive."""

    address: int
    shape: tuple[int, ...]
    stream: int | None
    owner: Any


def is_device_array(array: Any) -> bool:
    """Whether the array is in GPU memory, or says that it is."""
    if hasattr(array, "__cuda_array_interface__"):
        return True
    return hasattr(array, "__dlpack_device__") and int(array.__dlpack_device__()[0]) == CUDA


def device_images(array: Any, gpu: int, stream: int) -> DeviceImages:
    """View RGB images that are on GPU number `gpu`. `stream`: a producer that speaks DLPack lets it wait for its own work.

    Raises:
        UsageError: not uint8, not of shape (H, W, 3) or (N, H, W, 3), not C-contiguous, empty, or on another GPU.
    """
    view = _from_interface(array) if hasattr(array, "__cuda_array_interface__") else _from_dlpack(array, gpu, stream)
    address, shape, strides, is_uint8, other, owner = view
    if not is_uint8 or len(shape) not in (3, 4) or shape[-1] != 3:
        found = "uint8" if is_uint8 else "another type"
        raise UsageError(f"images on the GPU must be uint8 of the shape (H, W, 3) or (N, H, W, 3), not {found} {shape}")
    if 0 in shape:
        raise UsageError(f"images must not be empty; the shape is {shape}")
    if strides is not None and strides != _contiguous(shape):
        raise UsageError("images on the GPU must be C-contiguous; copy them first, e.g. with .contiguous() or ascontiguousarray")
    return DeviceImages(address, (1, *shape)[-4:], other, owner)


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
        interface.get("stream"),
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
    capsule = array.__dlpack__(stream=stream)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    tensor = _DLTensor.from_address(pointer(capsule, b"dltensor"))  # first member of a DLManagedTensor; the capsule frees it
    sides = range(tensor.ndim)
    strides = tuple(tensor.strides[i] for i in sides) if tensor.strides else None
    is_uint8 = (tensor.code, tensor.bits, tensor.lanes) == (1, 8, 1)
    return (tensor.data or 0) + tensor.byte_offset, tuple(tensor.shape[i] for i in sides), strides, is_uint8, None, capsule


class DeviceLabels:
    """Labels (N, H, W) int32 on a GPU, ready to read: `torch.as_tensor(labels)`, `cupy.asarray(labels)`, and so on share the memory."""

    def __init__(self, address: int, shape: tuple[int, ...], release: Callable[[int], None]) -> None:
        self.address = address
        self.shape = shape
        self.__cuda_array_interface__ = {
            "shape": shape, "typestr": "<i4", "data": (address, False), "strides": None, "stream": None, "version": 3,
        }  # fmt: skip
        weakref.finalize(self, release, address).atexit = False  # CUDA may be gone by then
