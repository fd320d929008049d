"""PyTorch and ONNX Runtime as networks of a `GpuPipeline`: their models between this package's kernels."""

from contextlib import suppress
from typing import Any

import numpy as np

from ainet.errors import DeviceError
from ainet.runtime.backends.base import first_line
from ainet.runtime.cuda.captures import CAPTURES
from ainet.runtime.cuda.driver import Gpu, engine_error
from ainet.runtime.cuda.kernels import Shape
from ainet.runtime.cuda.network import Allocate, Enqueue, Graph
from ainet.runtime.cuda.slots import tensor_shapes
from ainet.runtime.model import ModelInfo


class TorchNetwork:
    """A module that maps normalised float32 planes (N, 3, h, w) to logits (N, 9, h, w), on a torch device such as "cuda:0".

    TF32 as PyTorch's settings have it.
    """

    input_dtype = output_dtype = "float32"
    capturable = True

    def __init__(self, module: Any, info: ModelInfo, device: str) -> None:
        self._module, self._device = module, device
        self.info = info

    def fitting_batch(self, images: int, height: int, width: int) -> int:
        return images

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        import torch

        source, target = (
            torch.as_tensor(_Floats(address, sides), device=self._device)
            for address, sides in zip((image, output), tensor_shapes(self, shape), strict=True)
        )
        queue = torch.cuda.ExternalStream(stream, device=self._device)

        def enqueue() -> None:
            try:
                with torch.inference_mode(), torch.cuda.stream(queue):
                    target.copy_(self._module(source))
            except RuntimeError as error:
                raise _failed("PyTorch", shape, error) from error

        return enqueue

    def capture(self, stream: int, enqueue: Enqueue) -> Graph:
        """As `Gpu.capture`, with PyTorch's allocator told: the memory that it gives out meanwhile stays with the graph.

        Raises:
            DeviceError: it fails.
        """
        import torch

        queue = torch.cuda.ExternalStream(stream, device=self._device)
        graph = torch.cuda.CUDAGraph()
        capturing = torch.cuda.graph(graph, stream=queue, capture_error_mode="thread_local")
        try:
            # The context between: a capture that fails leaves its own stream the current one.
            with CAPTURES.turn(), torch.cuda.stream(torch.cuda.current_stream()), capturing:
                enqueue()
        except RuntimeError as error:  # of the end of the capture; what went wrong before it says more
            reason = error.__context__ or error
            raise engine_error(str(reason))(f"PyTorch cannot capture this model as a CUDA graph: {first_line(reason)}") from error

        def launch() -> None:
            with torch.cuda.stream(queue):
                graph.replay()

        return launch, graph.reset

    def free_cache(self) -> None:
        import torch

        with CAPTURES.turn():
            torch.cuda.empty_cache()

    def close(self) -> None:
        del self._module
        with suppress(RuntimeError):  # of a GPU that is lost
            self.free_cache()


class OnnxRuntimeNetwork:
    """A session on ONNX Runtime's CUDA provider. It runs in a stream of its own, so each run waits for the steps before it."""

    capturable = False

    def __init__(self, session: Any, info: ModelInfo, gpu: Gpu) -> None:
        self._session, self._gpu = session, gpu
        self.info = info
        self.input_dtype, self.output_dtype = ("uint8", "int32") if info.output == "labels" else ("float32", "float32")

    def fitting_batch(self, images: int, height: int, width: int) -> int:
        return images

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        input_shape, output_shape = tensor_shapes(self, shape)
        binding = self._session.io_binding()
        binding.bind_input(self._session.get_inputs()[0].name, "cuda", self._gpu.index, np.dtype(self.input_dtype).type, input_shape, image)
        binding.bind_output(
            self._session.get_outputs()[0].name, "cuda", self._gpu.index, np.dtype(self.output_dtype).type, output_shape, output
        )

        def enqueue() -> None:
            self._gpu.synchronize(stream)
            try:
                self._session.run_with_iobinding(binding)
            except Exception as error:  # the engine's exceptions have no public common base
                raise _failed("ONNX Runtime", shape, error) from error

        return enqueue

    def free_cache(self) -> None:
        pass  # its arena shrinks only by an option of single runs

    def close(self) -> None:
        del self._session


def _failed(engine: str, shape: Shape, error: Exception) -> DeviceError:
    """The error of an engine that cannot run a shape."""
    kind = engine_error(str(error))
    return kind(f"{engine} failed on an input of {'x'.join(map(str, shape))}: {first_line(error)}; try a smaller one")


class _Floats:
    """Float32 memory at an address, for torch.as_tensor."""

    def __init__(self, address: int, shape: tuple[int, ...]) -> None:
        self.__cuda_array_interface__ = {"shape": shape, "typestr": "<f4", "data": (address, False), "strides": None, "version": 3}
