"""What is asked of CUDA, in which order, by a stand-in for cuda-bindings in which only the names of the real ones exist."""

import ctypes
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from ainet.errors import DeviceError, UsageError
from ainet.runtime.cuda import kernels
from ainet.runtime.cuda.arrays import DeviceLabels
from ainet.runtime.cuda.driver import Gpu, OutOfMemoryError, engine_error

runtime = pytest.importorskip("cuda.bindings.runtime")
driver = pytest.importorskip("cuda.bindings.driver")


class Bindings:
    """Functions succeed, and are recorded; `fails`: name -> status instead. `results`: name -> result."""

    def __init__(self, real, calls):
        self._real, self._calls, self.fails, self.results = real, calls, {}, {}

    def __getattr__(self, name):
        member = getattr(self._real, name)
        if not callable(member) or isinstance(member, type):
            return member
        # The bindings document a function's arguments in its first line; some types hold commas in brackets.
        signature = re.sub(r"\[[^\]]*\]+", "", member.__doc__.partition("\n")[0])
        wanted = len([name for name in signature.partition("(")[2].partition(")")[0].split(",") if name])

        def function(*arguments):
            assert len(arguments) == wanted, signature
            self._calls.append((name, *arguments))
            status = self.fails.get(name, 0)
            return (status, self.results[name]) if name in self.results else (status,)

        return function


@pytest.fixture
def cuda(monkeypatch):
    calls = []
    bindings = SimpleNamespace(calls=calls, runtime=Bindings(runtime, calls), driver=Bindings(driver, calls))
    bindings.runtime.results |= {
        "cudaDeviceGetAttribute": 9, "cudaMalloc": 4096, "cudaHostAlloc": 0, "cudaStreamCreateWithFlags": 77,
        "cudaStreamEndCapture": "graph", "cudaGraphInstantiate": "executable", "cudaEventCreateWithFlags": "event",
    }  # fmt: skip
    bindings.driver.results |= {"cuLibraryLoadData": "library", "cuLibraryGetKernel": "kernel", "cuKernelGetFunction": "function"}
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", bindings.runtime)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", bindings.driver)
    monkeypatch.setattr("ainet.runtime.cuda.driver.kernel_binary", lambda capability: f"code for {capability}".encode())
    return bindings


def names(calls):
    return [call[0] for call in calls]


def test_opening_a_gpu(cuda):
    gpu = Gpu(3)
    assert gpu.capability == "sm99"
    assert cuda.calls[0] == ("cudaSetDevice", 3)  # the primary context: no context is made or pushed
    assert ("cuLibraryLoadData", b"code for sm99", [], [], 0, [], [], 0) in cuda.calls


def test_memory_and_copies(cuda):
    gpu = Gpu()
    backing = (ctypes.c_uint8 * 24)()
    cuda.runtime.results["cudaHostAlloc"] = ctypes.addressof(backing)
    cuda.calls.clear()
    assert gpu.allocate(100) == 4096
    pinned = gpu.allocate_pinned((2, 3), np.int32)
    pinned[...] = [[1, 2, 3], [4, 5, 6]]
    assert bytes(backing) == np.arange(1, 7, dtype=np.int32).tobytes()
    gpu.copy(1000, pinned.ctypes.data, 24, 77)
    gpu.synchronize(77)
    gpu.free(4096)
    gpu.free_pinned(pinned)
    assert [call[:4] for call in cuda.calls] == [
        ("cudaMalloc", 100),
        ("cudaHostAlloc", 24, 0),
        ("cudaMemcpyAsync", 1000, ctypes.addressof(backing), 24),
        ("cudaStreamSynchronize", 77),
        ("cudaFree", 4096),
        ("cudaFreeHost", ctypes.addressof(backing)),
    ]
    assert cuda.calls[2][4:] == (runtime.cudaMemcpyKind.cudaMemcpyDefault, 77)


def test_a_stream_that_waits_for_another(cuda):
    gpu = Gpu()
    stream = gpu.make_stream()
    cuda.calls.clear()
    gpu.wait_for(stream, 5)
    gpu.free_stream(stream)
    assert cuda.calls[1:] == [
        ("cudaEventRecord", "event", 5),
        ("cudaStreamWaitEvent", 77, "event", 0),
        ("cudaEventDestroy", "event"),
        ("cudaStreamDestroy", 77),
    ]


def test_whose_memory_an_address_is(cuda):
    gpu = Gpu()
    attributes = driver.CUpointer_attribute
    owners = {attributes.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: 0, attributes.CU_POINTER_ATTRIBUTE_CONTEXT: 500}
    function = cuda.driver.cuPointerGetAttribute
    cuda.driver.cuPointerGetAttribute = lambda attribute, address: (*function(attribute, address)[:1], owners[attribute])
    cuda.driver.results["cuCtxGetCurrent"] = 500
    gpu.check_address(4096)
    owners[attributes.CU_POINTER_ATTRIBUTE_CONTEXT] = 0  # of a pool
    gpu.check_address(4096)
    owners[attributes.CU_POINTER_ATTRIBUTE_CONTEXT] = 501
    with pytest.raises(UsageError, match=r"in a CUDA context of their own.* pycuda\.autoprimaryctx"):
        gpu.check_address(4096)
    owners[attributes.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL] = 1
    with pytest.raises(UsageError, match="images are on GPU 1, the model on GPU 0"):
        gpu.check_address(4096)
    cuda.driver.fails["cuPointerGetAttribute"] = 1
    with pytest.raises(UsageError, match="not in memory that a GPU knows"):
        gpu.check_address(4096)


def test_launches_of_connectivity(cuda):
    gpu = Gpu()
    cuda.calls.clear()
    seen = []
    launch = cuda.driver.__getattr__("cuLaunchKernel")

    def read_parameters(*arguments):
        arguments_address, count_address = (ctypes.c_void_p * 2).from_address(arguments[9])
        pointers = (ctypes.c_uint64 * 3).from_address(arguments_address)
        seen.append((*pointers, ctypes.c_int32.from_address(count_address).value))
        return launch(*arguments)

    cuda.driver.cuLaunchKernel = read_parameters
    kernels.enforce_connectivity(gpu.launcher(77), 11, 22, (5, 321, 481), 33, 15, 772)
    launches = [call for call in cuda.calls if call[0] == "cuLaunchKernel"]
    pixels = 321 * 481
    counts = [pixels, pixels, -(-pixels // 4), -(-pixels // 1024), pixels, pixels, pixels]
    assert seen == [(11, 22, 33, count) for count in counts]
    for (_, function, *shape, parameters, extra), count in zip(launches, counts, strict=True):
        cuts = count == counts[3]
        assert (function, extra) == ("function", 0)
        assert shape == [count if cuts else -(-count // 256), 5, 1, 32 if cuts else 256, 1, 1, 0, 77]
        assert parameters
    loaded = [call[2] for call in cuda.calls if call[0] == "cuLibraryGetKernel"]
    assert loaded == [f"ainet_connect_{step}".encode() for step in ("start", "unite", "flatten", "cut", "adopt", "number", "fill")]
    cuda.calls.clear()
    kernels.enforce_connectivity(gpu.launcher(77), 11, 22, (5, 321, 481), 33, 15, 772)
    assert set(names(cuda.calls)) == {"cuLaunchKernel"}


def test_a_graph_is_captured_launched_and_destroyed(cuda):
    gpu = Gpu()
    cuda.calls.clear()
    replay, destroy = gpu.capture(77, lambda: gpu.copy(1, 2, 3, 77))
    replay()
    replay()
    destroy()
    mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    assert cuda.calls[0] == ("cudaStreamBeginCapture", 77, mode)
    assert cuda.calls[2:] == [
        ("cudaStreamEndCapture", 77),
        ("cudaGraphInstantiate", "graph", 0),
        ("cudaGraphDestroy", "graph"),
        ("cudaGraphLaunch", "executable", 77),
        ("cudaGraphLaunch", "executable", 77),
        ("cudaGraphExecDestroy", "executable"),
    ]


def test_a_capture_that_fails_is_ended(cuda):
    gpu = Gpu()
    cuda.calls.clear()

    def enqueue():
        raise DeviceError("the engine failed")

    with pytest.raises(DeviceError, match="the engine failed"):
        gpu.capture(77, enqueue)
    assert names(cuda.calls) == ["cudaStreamBeginCapture", "cudaStreamEndCapture"]


def test_memory_released_during_a_capture_is_freed_after_it(cuda):
    """By this thread or another, through the same Gpu or another; also if the capture fails."""
    gpu, other = Gpu(), Gpu()
    labels = DeviceLabels(4096, (2, 3), other.free)
    cuda.calls.clear()

    def enqueue():
        nonlocal labels
        del labels  # as the collector may do at any moment
        with ThreadPoolExecutor(1) as pool:
            pool.submit(gpu.free, 8192).result(timeout=60)
        other.free_pinned(np.empty(3))
        gpu.copy(1, 2, 3, 77)

    gpu.capture(77, enqueue)
    assert names(cuda.calls)[:3] == ["cudaStreamBeginCapture", "cudaMemcpyAsync", "cudaStreamEndCapture"]
    freed = [call for call in cuda.calls if call[0].startswith("cudaFree")]
    assert freed[:2] == [("cudaFree", 4096), ("cudaFree", 8192)]
    assert freed[2][0] == "cudaFreeHost"
    cuda.calls.clear()

    def failing():
        gpu.free(4096)
        raise DeviceError("the engine failed")

    with pytest.raises(DeviceError, match="the engine failed"):
        gpu.capture(77, failing)
    assert names(cuda.calls) == ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaFree"]


def test_captures_of_several_threads_take_turns(cuda):
    gpus = [Gpu() for _ in range(4)]
    cuda.calls.clear()

    def capture(gpu):
        for address in range(20):
            gpu.capture(77, lambda: (time.sleep(0.001), gpu.free(address)))  # noqa: B023 - called at once
            gpu.free(1000 + address)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(capture, gpus))
    inside = 0
    for name in names(cuda.calls):
        assert inside == 0 or name == "cudaStreamEndCapture"
        inside += {"cudaStreamBeginCapture": 1, "cudaStreamEndCapture": -1}.get(name, 0)
    freed = Counter(call[1] for call in cuda.calls if call[0] == "cudaFree")
    assert freed == Counter([*range(20), *range(1000, 1020)] * 4)


def test_errors_of_cuda(cuda):
    gpu = Gpu(1)
    cuda.runtime.fails["cudaMalloc"] = runtime.cudaError_t.cudaErrorMemoryAllocation
    with pytest.raises(OutOfMemoryError, match=r"GPU 1 is out of memory; try smaller .*\(another 953674 MB were needed\)"):
        gpu.allocate(10**12)
    cuda.runtime.fails["cudaStreamSynchronize"] = runtime.cudaError_t.cudaErrorDeviceUninitialized
    with pytest.raises(
        DeviceError, match=r"GPU 1 cannot be used \(cudaStreamSynchronize: cudaErrorDeviceUninitialized\); check it with: nvidia-smi"
    ):
        gpu.synchronize(77)
    cuda.driver.fails["cuLaunchKernel"] = driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(OutOfMemoryError):
        kernels.assign(gpu.launcher(77), 1, "int32", (1, 16, 16), 2, (16, 16))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139 GiB", OutOfMemoryError),
        ("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1", OutOfMemoryError),
        ("CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", OutOfMemoryError),
        ("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)", OutOfMemoryError),
        ("[defaultAllocator.cpp::allocate] Error Code 1: Cuda Runtime (out of memory)", OutOfMemoryError),
        ("Error Code 2: OutOfMemory (Requested size was 1048576 bytes.)", OutOfMemoryError),
        ("Requested amount of GPU memory (4096 bytes) could not be allocated. There may not be enough free memory", OutOfMemoryError),
        ("cudaErrorMemoryAllocation", OutOfMemoryError),
        ("CUDA error: an illegal memory access was encountered", DeviceError),
        ("Cuda Runtime (invalid device memory address)", DeviceError),
        ("the expected memory format is channels_last", DeviceError),
    ],
)
def test_kinds_of_errors_of_engines(reason, kind):
    assert engine_error(reason) is kind


def test_no_gpu():
    status, count = runtime.cudaGetDeviceCount()
    if int(status) == 0 and count:
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceError, match=r"GPU 0 cannot be used \(cudaSetDevice: cudaError\w+\); check it with: nvidia-smi"):
        Gpu()


def test_no_bindings(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(DeviceError, match=r"needs the package cuda-bindings .*: pip install cuda-bindings$"):
        Gpu()
