"""TensorRT engines on an NVIDIA GPU, of any TensorRT package."""

import threading
from pathlib import Path
from typing import Any

from ainet.errors import DeviceError, ModelError
from ainet.files import read_sealed, write_sealed
from ainet.runtime.backends.base import failed
from ainet.runtime.cuda.devices import open_gpu
from ainet.runtime.cuda.errors import OutOfMemoryError, engine_error
from ainet.runtime.cuda.kernels import Shape
from ainet.runtime.cuda.network import Allocate, Enqueue, tensor_shapes
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.engine_file import EngineInfo, cache_file
from ainet.runtime.tensorrt_api import TensorRtPackage, load_package


def open_engine(engine: Path, index: int = 0) -> GpuPipeline:
    """Load the engine file `engine` on the GPU number `index`.

    Raises:
        ModelError: the engine or its sidecar is missing, damaged, or made for another GPU or TensorRT.
        DeviceError: the GPU, its driver or TensorRT is not there.
    """
    info = EngineInfo.load(engine)
    content = info.verify(engine)
    package = load_package(info.package)
    gpu = open_gpu(index)
    info.check_host(engine, package.name, package.version, gpu.capability)
    return GpuPipeline(gpu, EngineNetwork(engine, content, info, package, gpu.capability), f"{package} (CUDA {index})")


_ERRORS = threading.Lock()  # a process has one list of TensorRT's errors: held from clearing it to reading it


class EngineNetwork:
    """An engine, loaded on the current GPU, of this compute capability; the network of a `GpuPipeline`.

    file: where `content` is from.
    """

    capturable = True  # until a context says that it is not

    def __init__(self, file: Path, content: bytes, info: EngineInfo, package: TensorRtPackage, capability: str) -> None:
        with _ERRORS:
            package.logger.errors.clear()
            self._runtime = package.api.Runtime(package.logger)  # has to live as long as the engine
            self._engine = self._runtime.deserialize_cuda_engine(content)
            if self._engine is None and self._memory_is_short(package):
                raise OutOfMemoryError(f"{package} cannot load {file}: {package.first_error()}; free memory of other programs")
            if self._engine is None:
                reason = package.first_error()
                raise ModelError(f"{package} cannot load {file}: {reason}; build it again with: {info.build_command(file)}")
        self._image, self._result = (self._engine.get_tensor_name(index) for index in range(2))
        if self._engine.get_tensor_mode(self._image) != package.api.TensorIOMode.INPUT:
            self._image, self._result = self._result, self._image
        self._info, self._package = info, package
        self._file, self._cache_owner = file, f"kernels of {package} on {capability}"
        self._cache: Any = None  # of TensorRT-RTX, made by the first context
        self.info = info.model
        gives_ids = info.model.output == "labels"
        self.input_dtype, self.output_dtype = ("uint8", "int32") if gives_ids else ("float32", "float32")

    def fitting_batch(self, images: int, height: int, width: int) -> int:
        batches = [min(images, profile.largest[0]) for profile in self._info.profiles]
        pairs = zip(batches, self._info.profiles, strict=True)
        fitting = [batch for batch, profile in pairs if profile.holds((batch, height, width))]
        if not fitting:
            self._info.profile_for((images, height, width))  # says what there is
        return max(fitting)

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        profile = self._info.profile_for(shape)
        with _ERRORS:
            self._package.logger.errors.clear()
            context = self._new_context()
            if context is None or not all((
                context.set_optimization_profile_async(profile, stream),
                context.set_input_shape(self._image, tensor_shapes(self, shape)[0]),
                context.set_tensor_address(self._image, image),
                context.set_tensor_address(self._result, output),
            )):  # fmt: skip
                raise self._failure(shape)
            size = context.update_device_memory_size_for_shapes()
        if size > 0:
            context.set_device_memory(allocate(size), size)
        if hasattr(context, "is_stream_capturable") and not context.is_stream_capturable(stream):
            self.capturable = False

        def enqueue() -> None:
            if not context.execute_async_v3(stream):
                with _ERRORS:
                    raise self._failure(shape)

        return enqueue

    def free_cache(self) -> None:
        pass  # all its memory belongs to contexts, which go with their executions

    def close(self) -> None:
        compiled = None if self._cache is None else self._cache.serialize()  # None again if the GPU is lost
        if compiled is not None:
            write_sealed(cache_file(self._file), bytes(compiled), self._cache_owner)
        del self._cache, self._engine, self._runtime

    def _new_context(self) -> Any:
        """A context without memory: it would take what the largest input of all profiles needs.

        TensorRT-RTX has to wait for the kernels of a shape: a graph would hold the general ones, which it runs until then, for good.
        """
        memory = self._package.api.ExecutionContextAllocationStrategy.USER_MANAGED
        strategies = getattr(self._package.api, "DynamicShapesKernelSpecializationStrategy", None)
        if strategies is None:
            return self._engine.create_execution_context(memory)
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(memory)
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            if compiled := read_sealed(cache_file(self._file), self._cache_owner):
                self._cache.deserialize(compiled)
        config.set_runtime_cache(self._cache)
        return self._engine.create_execution_context(config)

    def _failure(self, shape: Shape) -> DeviceError:
        reason = self._package.first_error()
        kind = OutOfMemoryError if self._memory_is_short(self._package) else DeviceError
        return failed(self._package, shape, reason, kind)

    @staticmethod
    def _memory_is_short(package: TensorRtPackage) -> bool:
        return engine_error(" ".join(package.logger.errors)) is OutOfMemoryError
