"""PyTorch on any of its devices, or on an NVIDIA GPU between this package's kernels. The module comes from the caller, so that
this package needs no training code."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ainet.errors import DeviceError
from ainet.runtime.backends.base import closed, failed, first_line
from ainet.runtime.cuda.captures import CAPTURES
from ainet.runtime.cuda.devices import open_gpu
from ainet.runtime.cuda.errors import engine_error
from ainet.runtime.cuda.kernels import Shape
from ainet.runtime.cuda.network import Allocate, Enqueue, Graph, tensor_shapes
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.merging import MergeModel
from ainet.runtime.model import ModelInfo


class TorchBackend:
    """Runs a module that maps normalised images (N, 3, h, w) to logits (N, 9, h, w), on a torch device such as "cpu".

    with_map: a module that gives the logits and the border map (N, h/2, w/2, C) that `merge_model` needs.

    Raises:
        DeviceError: PyTorch cannot use the device.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        info: ModelInfo,
        device: str = "cpu",
        with_map: torch.nn.Module | None = None,
        merge_model: MergeModel | None = None,
    ) -> None:
        self._module: torch.nn.Module | None = _on(device, module)
        self._with_map = None if with_map is None else _on(device, with_map)
        self.merge_model = merge_model
        self.info = info
        self.name = f"PyTorch ({device})"
        self._device = device

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        return self._run(self._module, image).float().cpu().numpy()

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        logits, border_map = self._run(self._with_map, image)
        return logits.float().cpu().numpy(), border_map.float().cpu().numpy()

    def _run(self, module: Any, image: NDArray[Any]) -> Any:
        if module is None:
            raise closed(self.name)
        try:
            with torch.inference_mode():
                return module(torch.from_numpy(image).to(self._device))
        except RuntimeError as error:  # out of memory is one too
            raise failed("PyTorch", image.shape, first_line(error)) from error

    def close(self) -> None:
        self._module, self._with_map = None, None


def open_cuda(module: torch.nn.Module, info: ModelInfo, index: int) -> GpuPipeline:
    """Put such a module on the GPU number `index`, between this package's kernels.

    Raises:
        DeviceError: the GPU, its driver, cuda-core or a build of PyTorch for CUDA is not there.
    """
    device = f"cuda:{index}"
    network = TorchNetwork(_on(device, module), info, device)
    return GpuPipeline(open_gpu(index), network, f"PyTorch ({device})")


class TorchNetwork:
    """A module that maps normalised planes (N, 3, h, w) to logits (N, 9, h, w), on a torch device such as "cuda:0".

    At the precision "fp16" both are float16, and the planes lie channels last, for which the GPU's units for small matrices are made.
    Else they are float32; TF32 as PyTorch's settings have it.
    """

    capturable = True

    def __init__(self, module: torch.nn.Module, info: ModelInfo, device: str) -> None:
        self._module, self._device = module, device
        self.info = info
        self.input_dtype = self.output_dtype = "float16" if info.precision == "fp16" else "float32"
        self._layout = torch.channels_last if info.precision == "fp16" else torch.contiguous_format

    def fitting_batch(self, images: int, height: int, width: int) -> int:
        return images

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        input_shape, output_shape = tensor_shapes(self, shape)
        source, target = self._tensor(image, input_shape), self._tensor(output, output_shape)
        queue = torch.cuda.ExternalStream(stream, device=self._device)

        def enqueue() -> None:
            try:
                with torch.inference_mode(), torch.cuda.stream(queue), _measured_convolutions():
                    target.copy_(self._module(source.contiguous(memory_format=self._layout)))
            except RuntimeError as error:
                raise failed("PyTorch", shape, first_line(error), engine_error(str(error))) from error

        return enqueue

    def capture(self, stream: Any, enqueue: Enqueue) -> Graph:
        """As `Gpu.capture`, with PyTorch's allocator told: the memory that it allocates meanwhile stays with the graph.

        Raises:
            DeviceError: it fails.
        """
        queue = torch.cuda.ExternalStream(int(stream.handle), device=self._device)
        graph = torch.cuda.CUDAGraph()
        capturing = torch.cuda.graph(graph, stream=queue, capture_error_mode="thread_local")
        try:
            # The context between: a capture that fails leaves its own stream the current one.
            with CAPTURES.one_at_a_time(), torch.cuda.stream(torch.cuda.current_stream()), capturing:
                enqueue()
        except RuntimeError as error:  # of the end of the capture; what went wrong before it says more
            reason = error.__context__ or error
            raise engine_error(str(reason))(f"PyTorch cannot capture this model as a CUDA graph: {first_line(reason)}") from error

        def replay() -> None:
            with torch.cuda.stream(queue):
                graph.replay()

        return Graph(replay, graph.reset)

    def free_cache(self) -> None:
        with CAPTURES.one_at_a_time():
            torch.cuda.empty_cache()

    def close(self) -> None:
        del self._module
        with suppress(RuntimeError):  # of a GPU that is lost
            self.free_cache()

    def _tensor(self, address: int, shape: tuple[int, ...]) -> torch.Tensor:
        """The memory at an address, of the network's type."""
        return torch.as_tensor(_Memory(address, shape, self.input_dtype), device=self._device)


@contextmanager
def _measured_convolutions() -> Iterator[None]:
    """For each convolution cuDNN tries what it has and takes the fastest, as the graph will be replayed often.

    The setting is the whole process's, so it is put back.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class _Memory:
    """What torch.as_tensor takes for an array in GPU memory."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: str) -> None:
        typestr = np.dtype(dtype).str
        self.__cuda_array_interface__ = {"shape": shape, "typestr": typestr, "data": (address, False), "strides": None, "version": 3}


def _on(device: str, module: torch.nn.Module) -> torch.nn.Module:
    try:
        if torch.device(device).type == "meta":
            raise DeviceError("PyTorch's device 'meta' computes nothing; use another device")
        return module.eval().to(device)
    except (RuntimeError, AssertionError, ImportError) as error:  # no CUDA in this build of torch: AssertionError
        raise DeviceError(f"PyTorch cannot use the device '{device}': {first_line(error)}; use another device") from error
