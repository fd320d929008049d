"""ONNX file -> TensorRT engine, and a JSON sidecar that the runtime reads.

    build_engine("ainet.onnx", "ainet.engine", ["320x480", "160x160..1088x1920"])
    build_engine("ainet.onnx", "ainet.engine", package="tensorrt-rtx", targets=["sm86", "sm120"])

The full TensorRT builds for the GPU of this machine; TensorRT-RTX builds ahead of time, with or without one.
Networks are strongly typed: the graph says which precision runs where, in every package.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.export.inspector import check_precisions, inspect
from ainet.export.model_file import read_model
from ainet.export.profiles import DEFAULT_SIZES, parse_profiles, tuned_shape
from ainet.files import atomic_path, read_sealed, write_sealed
from ainet.runtime.cuda.devices import local_capability
from ainet.runtime.engine_file import EngineInfo, Profile, Shape, cache_file, sidecar
from ainet.runtime.model import ModelInfo
from ainet.runtime.tensorrt_api import NO_DRIVER, TensorRtPackage, load_package


def build_engine(
    onnx_path: str | os.PathLike[str],
    path: str | os.PathLike[str],
    sizes: Sequence[str] = DEFAULT_SIZES,
    package: str | None = None,
    targets: Sequence[str] = (),
) -> EngineInfo:
    """Build the exported model `onnx_path` into the engine `path` and its sidecar, `path` + ".json".

    Args:
        sizes: input sizes, one profile each; `ainet.export.profiles` lists the forms.
        package: "tensorrt" or "tensorrt-rtx"; None for the one that is installed, the full TensorRT first.
        targets: compute capabilities to build for ahead of time, such as "sm86" (TensorRT-RTX only). Without any it
            builds for every GPU from sm80.

    With TensorRT-RTX, equal arguments give equal files for one size, and for ranges of `logits`. In other ranges it names
    and orders its temporaries by their addresses in memory, so that equal engines differ in a few bytes. The full
    TensorRT times kernels, and may choose others each time; it keeps the times in `path` + ".cache" for the next build there.

    Raises:
        UsageError: a size or target is wrong, or contradicts the model or the package.
        ModelError: the model cannot be read or built, or the engine's layers have not the precision of its graph.
        DeviceError: the package is not installed, or it needs a GPU that is not there.
        OutputError: the engine cannot be written.
    """
    profiles = parse_profiles(sizes)
    chosen = load_package(package)
    capabilities = _capabilities(chosen, targets)
    model, info = read_model(Path(onnx_path))
    machine = f"times of {chosen} on {' '.join(capabilities)}"
    content, timings = _build(chosen, model, info, onnx_path, profiles, capabilities, read_sealed(cache_file(path), machine) or b"")
    precisions = inspect(chosen, content, _input_shape(info, profiles[0].largest))
    check_precisions(precisions, info.precision)
    engine = EngineInfo(
        package=chosen.name,
        version=chosen.version,
        compute_capabilities=capabilities,
        profiles=profiles,
        model=info,
        onnx_sha256=hashlib.sha256(model).hexdigest(),
        plan_sha256=hashlib.sha256(content).hexdigest(),
        layer_precisions=precisions,
    )
    with atomic_path(path) as engine_file, atomic_path(sidecar(path)) as sidecar_file:
        engine_file.write_bytes(content)
        sidecar_file.write_text(engine.to_json(), encoding="utf-8")
    if timings:
        write_sealed(cache_file(path), timings, machine)
    return engine


def _capabilities(package: TensorRtPackage, targets: Sequence[str]) -> tuple[str, ...]:
    if not package.targets:
        if targets:
            raise UsageError(f"package '{package.name}' builds for this machine's GPU alone; for named targets use --package tensorrt-rtx")
        try:
            return (local_capability(),)
        except DeviceError as error:
            raise DeviceError(f"package '{package.name}' builds on a GPU: {error}; without one use --package tensorrt-rtx") from error
    for target in targets:
        if target not in package.targets:
            raise UsageError(f"unknown target '{target}'; {package} builds for {', '.join(package.targets)}")
    return tuple(target for target in package.targets if target in targets)


def _input_shape(info: ModelInfo, shape: Shape) -> tuple[int, int, int, int]:
    """Shape of the input `image` for (batch, height, width): NHWC for `labels`, NCHW otherwise."""
    batch, height, width = shape
    return (batch, height, width, 3) if info.output == "labels" else (batch, 3, height, width)


def _build(
    package: TensorRtPackage,
    model: bytes,
    info: ModelInfo,
    source: str | os.PathLike[str],
    profiles: Sequence[Profile],
    capabilities: Sequence[str],
    timings: bytes,
) -> tuple[bytes, bytes]:
    """The engine, and the times of kernels where the package takes them: `timings` and new ones. `source`: the model's name in messages."""
    api = package.api
    package.logger.errors.clear()
    builder = api.Builder(package.logger)
    network = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = api.OnnxParser(network, package.logger)
    if not parser.parse(model):
        raise ModelError(f"{package} cannot read {source}: {_parser_error(parser) or package.first_error()}")
    while network.num_outputs > 1:  # a border map, which GPUs do without
        network.unmark_output(network.get_output(1))
    config = builder.create_builder_config()
    config.clear_flag(api.BuilderFlag.TF32)  # TF32 would round fp32 to 10 bits; fp16 is the fast choice
    if hasattr(api.BuilderFlag, "REQUIRE_USER_ALLOCATION"):  # else TensorRT-RTX may allocate in a run, which no CUDA graph can hold
        config.set_flag(api.BuilderFlag.REQUIRE_USER_ALLOCATION)
    config.profiling_verbosity = api.ProfilingVerbosity.DETAILED  # lets the inspector see precisions
    image = network.get_input(0)
    for profile in profiles:
        smallest, largest = _input_shape(info, profile.smallest), _input_shape(info, profile.largest)
        for fixed, low, high in zip(tuple(image.shape), smallest, largest, strict=True):
            if fixed != -1 and not low == high == fixed:
                raise UsageError(f"the size {profile} contradicts {source}, whose input is fixed at {tuple(image.shape)}")
        shapes = builder.create_optimization_profile()
        shapes.set_shape(image.name, smallest, _input_shape(info, tuned_shape(profile)), largest)
        config.add_optimization_profile(shapes)
    if package.targets and capabilities:
        config.num_compute_capabilities = len(capabilities)
        for index, name in enumerate(capabilities):
            config.set_compute_capability(getattr(api.ComputeCapability, name.upper()), index)
    if not package.targets:
        _use_timings(config, timings)
        package.logger.errors.clear()  # of a cache that was refused
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ModelError(f"{package} cannot build {source}: {package.first_error()}")
    timed = None if package.targets else config.get_timing_cache()
    return bytes(engine), b"" if timed is None else bytes(timed.serialize())


def _use_timings(config: Any, timings: bytes) -> None:
    """Let the builder use and extend these times of kernels; where it refuses them, none."""
    for content in (timings, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return


def _parser_error(parser: Any) -> str:
    """The first error that the parser lists: where it arose, and the first reason that is more than a missing driver."""
    if parser.num_errors == 0:
        return ""
    error = parser.get_error(0)
    lines = [line for line in error.desc().splitlines() if NO_DRIVER not in line]
    return f"{' '.join(lines[:2])} (node '{error.node_name()}', operator {error.node_operator()})"
