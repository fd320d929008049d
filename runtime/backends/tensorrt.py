"""TensorRT engines on an NVIDIA GPU, of any flavour."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ainet.errors import DeviceError, ModelError, OutputError
from ainet.files import atomic_path
from ainet.runtime.cuda.driver import Gpu, OutOfMemoryError, engine_error
from ainet.runtime.cuda.kernels import Shape
from ainet.runtime.cuda.network import Enqueue
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.cuda.slots import tensor_shapes
from ainet.runtime.engine_file import EngineInfo, cache_file
from ainet.runtime.flavours import Flavour, load_flavour


def open_engine(plan: Path, index: int = 0) -> GpuPipeline:
    """Load the engine file `plan` on the GPU number `index`.

    Raises:
        ModelError: the engine or its sidecar is missing, damaged, or made for another GPU or TensorRT.
        DeviceError: the GPU, its driver or TensorRT is not there.
    """
    info = EngineInfo.load(plan)
    content = info.verify(plan)
    flavour = load_flavour(info.flavour)
    gpu = Gpu(index)
    info.check_host(plan, flavour.name, flavour.version, gpu.capability)
    return GpuPipeline(gpu, EngineNetwork(plan, content, info, flavour), f"{flavour} (CUDA {index})")


_ERRORS = threading.Lock()  # a process has one list of TensorRT's errors: held from clearing it to reading it


class EngineNetwork:
    """An engine, loaded on the current GPU; the network of a `GpuPipeline`. plan: the file that `content` is from."""

    capturable = True  # until a context says that it is not

    def __init__(self, plan: Path, content: bytes, info: EngineInfo, flavour: Flavour) -> None:
        with _ERRORS:
            flavour.logger.errors.clear()
            self._runtime = flavour.api.Runtime(flavour.logger)  # has to live as long as the engine
            self._engine = self._runtime.deserialize_cuda_engine(content)
            if self._engine is None and self._memory_is_short(flavour):
                raise OutOfMemoryError(f"{flavour} cannot load {plan}: {flavour.first_error()}; free memory of other programs")
            if self._engine is None:
                raise ModelError(f"{flavour} cannot load {plan}: {flavour.first_error()}; build it again with: ainet build")
        self._image, self._result = (self._engine.get_tensor_name(index) for index in range(2))
        if self._engine.get_tensor_mode(self._image) != flavour.api.TensorIOMode.INPUT:
            self._image, self._result = self._result, self._image
        self._info, self._flavour = info, flavour
        self._cache_file = cache_file(plan)
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

    def prepare(self, shape: Shape, image: int, output: int, stream: int) -> Enqueue:
        profile = self._info.profile_for(shape)
        with _ERRORS:
            self._flavour.logger.errors.clear()
            context = self._context()
            if context is None or not all((
                context.set_optimization_profile_async(profile, stream),
                context.set_input_shape(self._image, tensor_shapes(self, shape)[0]),
                context.set_tensor_address(self._image, image),
                context.set_tensor_address(self._result, output),
            )):  # fmt: skip
                raise self._failure(shape)
        if hasattr(context, "is_stream_capturable") and not context.is_stream_capturable(stream):
            self.capturable = False

        def enqueue() -> None:
            if not context.execute_async_v3(stream):
                with _ERRORS:
                    raise self._failure(shape)

        return enqueue

    def free_cache(self) -> None:
        pass  # all its memory belongs to contexts, which go with their slots

    def close(self) -> None:
        if self._cache is not None:
            compiled = bytes(self._cache.serialize())
            with suppress(OutputError), atomic_path(self._cache_file) as path:  # it saves time next time, no more
                path.write_bytes(compiled)
        del self._engine, self._runtime

    def _context(self) -> Any:
        """TensorRT-RTX has to wait for the kernels of a shape: a graph would hold the general ones, which it runs until then, for good."""
        strategies = getattr(self._flavour.api, "DynamicShapesKernelSpecializationStrategy", None)
        if strategies is None:
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            if self._cache_file.is_file():
                self._cache.deserialize(self._cache_file.read_bytes())  # refused, and left empty, if it is of another GPU or version
        config.set_runtime_cache(self._cache)
        return self._engine.create_execution_context(config)

    def _failure(self, shape: Shape) -> DeviceError:
        reason = self._flavour.first_error()
        kind = OutOfMemoryError if self._memory_is_short(self._flavour) else DeviceError
        return kind(f"{self._flavour} failed on an input of {'x'.join(map(str, shape))}: {reason}; try a smaller one")

    @staticmethod
    def _memory_is_short(flavour: Flavour) -> bool:
        return engine_error(" ".join(flavour.logger.errors)) is OutOfMemoryError
