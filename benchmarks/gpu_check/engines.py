"""The section that makes what other sections run: fp16 exports, and the engines that this machine can build."""

import importlib.util
import time
from collections.abc import Iterator
from typing import Any

from ainet.benchmarks.gpu_check.cases import engine_sizes
from ainet.benchmarks.gpu_check.networks import NETWORKS, absent, engine_path, onnx_path
from ainet.benchmarks.gpu_check.section import Context, Result, SkippedError
from ainet.errors import AINetError
from ainet.runtime.tensorrt_api import MODULES
from ainet.segmenter import bundled


def run(context: Context) -> Iterator[Result]:
    flavours = [name for name, module in MODULES.items() if importlib.util.find_spec(module) is not None]
    if not flavours and (reason := absent("onnxruntime")):
        raise SkippedError(f"no TensorRT is installed ({' or '.join(MODULES)}), and {reason}: nothing here runs an export")
    from ainet.export.engine import build_engine
    from ainet.export.onnx import export_onnx
    from ainet.training.checkpoint import load_checkpoint

    result: Result = {"flavours": flavours, "sizes": engine_sizes(), "exports": [], "engines": [], "failures": []}
    for network in NETWORKS:
        context.check_time()
        export_onnx(load_checkpoint(bundled(f"{network}.safetensors")), onnx_path(context.work, network), "fp16")
        result["exports"].append(network)
        yield result
    for flavour in flavours:
        for network in NETWORKS:
            context.check_time()
            start, path = time.monotonic(), engine_path(context.work, network, flavour)
            row: dict[str, Any] = {"network": network, "flavour": flavour}
            try:
                info = build_engine(onnx_path(context.work, network), path, result["sizes"], flavour)
                row |= {"version": info.version, "mib": path.stat().st_size / 2**20, "layer_precisions": info.layer_precisions}
            except AINetError as error:
                row["error"] = str(error)
                result["failures"].append(f"{network}, {flavour}: {error}")
            result["engines"].append({**row, "seconds": time.monotonic() - start})
            yield result
