"""The TensorRT packages: the full TensorRT (10, 11) and TensorRT-RTX, whose Python modules share one interface.

    package = load_package("tensorrt-rtx")
    builder = package.api.Builder(package.logger)

The little that differs between them is read from the module itself, never concluded from a version.
"""

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from ainet.errors import DeviceError, UsageError

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}  # by the package's name; the first that is installed is the default
NO_DRIVER = "Cuda Runtime"  # in messages: without a GPU they come along with every other error


@dataclass(frozen=True)
class TensorRtPackage:
    """An installed TensorRT. `name`: a key of `MODULES`. `api`: its Python module. `logger`: keeps its errors in `logger.errors`."""

    name: str
    api: Any
    logger: Any

    @property
    def version(self) -> str:
        return str(self.api.__version__)

    @property
    def targets(self) -> tuple[str, ...]:
        """Compute capabilities it can build for without having the GPU, such as "sm86"; none for the full TensorRT."""
        capabilities = getattr(self.api, "ComputeCapability", None)
        names = capabilities.__members__ if capabilities else ()
        return tuple(name.lower() for name in names if name.startswith("SM"))

    def first_error(self) -> str:
        """The first error since `logger.errors` was cleared; a missing driver counts last."""
        return min(self.logger.errors, key=lambda message: NO_DRIVER in message, default="it gave no reason")

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def load_package(name: str | None = None) -> TensorRtPackage:
    """Import the package `name`, by default the first of `MODULES` that is installed.

    Raises:
        UsageError: there is no such package.
        DeviceError: it is not installed, cannot be loaded, or is too old.
    """
    if name is not None and name not in MODULES:
        raise UsageError(f"unknown TensorRT package '{name}'; choose one of {', '.join(MODULES)}")
    if name is not None:
        return _import(name)
    for candidate in MODULES:
        try:
            return _import(candidate)
        except DeviceError:
            continue
    raise DeviceError("no TensorRT is installed: pip install 'ainet-toolkit[tensorrt-rtx]', or [tensorrt]")


def _import(name: str) -> TensorRtPackage:
    try:
        api = importlib.import_module(MODULES[name])
        flags = api.NetworkDefinitionCreationFlag  # missing where a package holds nothing but type stubs
    except (ImportError, OSError, AttributeError) as error:
        raise DeviceError(f"TensorRT package '{name}' cannot be used ({error}): pip install 'ainet-toolkit[{name}]'") from error
    if not hasattr(flags, "STRONGLY_TYPED"):
        raise DeviceError(f"{name} {api.__version__} has no strongly typed networks: pip install --upgrade 'ainet-toolkit[{name}]'")
    return TensorRtPackage(name, api, _logger(api))


@cache  # TensorRT heeds only the first logger that a process gives it
def _logger(api: Any) -> Any:
    class ErrorList(api.ILogger):
        """Keeps errors in memory: without a GPU TensorRT logs many that mean nothing to a user."""

        def __init__(self) -> None:
            api.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (api.ILogger.ERROR, api.ILogger.INTERNAL_ERROR):
                self.errors.append(message)

    return ErrorList()
