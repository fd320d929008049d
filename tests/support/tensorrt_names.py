"""Names in TensorRT's Python interface, and a stand-in made of them.

`tensorrt_names.json` holds the names of the classes that this project uses and the values of the enums, recorded from the
real bindings of the full TensorRT 10 and 11, whose library needs a GPU. To record others, unpack the wheels
`tensorrt_cu13_bindings` of the wanted versions into folders and run

    for folder in ...; do python tests/support/tensorrt_names.py $folder; done

Each run prints one version. The bindings are loaded over empty libraries, which the C compiler makes.
"""

import ctypes
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock, NonCallableMagicMock

RECORDED = json.loads(Path(__file__).with_suffix(".json").read_text())  # version -> names
CLASSES = ["Builder", "INetworkDefinition", "ITensor", "OnnxParser", "ParserError", "IBuilderConfig", "IOptimizationProfile"]
CLASSES += ["Runtime", "ICudaEngine", "IExecutionContext", "IRuntimeConfig", "EngineInspector"]
ENUMS = ["NetworkDefinitionCreationFlag", "BuilderFlag", "ProfilingVerbosity", "LayerInformationFormat", "ComputeCapability"]
ENUMS += ["DataType", "TensorIOMode", "TensorLocation", "ExecutionContextAllocationStrategy", "DynamicShapesKernelSpecializationStrategy"]
ENUMS += ["EngineInvalidityDiagnostics"]


def names_of(api):
    """Classes: list of members. Enums: value by name. ILogger holds the members of its enum Severity."""
    classes = {name: [member for member in dir(getattr(api, name)) if not member.startswith("_")] for name in CLASSES if hasattr(api, name)}
    enums = {name: getattr(api, name) for name in ENUMS if hasattr(api, name)} | {"ILogger": api.ILogger.Severity}
    return classes | {name: {key: int(value) for key, value in enum.__members__.items()} for name, enum in enums.items()}


class StandIn:
    """A module in which only the names of `names` exist. It parses and builds anything; `report` is what its engines' inspector says."""

    def __init__(self, names, version, report):
        def instance(name):
            return NonCallableMagicMock(spec_set=names[name])

        self.builder, self.config, self.network, self.parser = map(
            instance, ("Builder", "IBuilderConfig", "INetworkDefinition", "OnnxParser")
        )
        self.profile, self.context = instance("IOptimizationProfile"), instance("IExecutionContext")
        image, runtime, engine, inspector = map(instance, ("ITensor", "Runtime", "ICudaEngine", "EngineInspector"))
        self.runtime_config = engine.create_runtime_config.return_value = instance("IRuntimeConfig")
        if "create_runtime_cache" in names["IRuntimeConfig"]:
            self.runtime_config.create_runtime_cache.return_value = self.cache = NonCallableMagicMock(spec_set=["deserialize", "serialize"])
            self.cache.serialize.return_value = b"compiled"
        self.config.get_timing_cache.return_value.serialize.return_value = b"times"
        image.name, image.shape = "image", (-1, 3, -1, -1)
        self.network.get_input.return_value = image
        self.network.num_outputs = 1
        self.builder.create_network.return_value = self.network
        self.network.num_outputs = 1
        self.builder.create_builder_config.return_value = self.config
        self.builder.create_optimization_profile.return_value = self.profile
        self.builder.build_serialized_network.return_value = b"plan"
        runtime.deserialize_cuda_engine.return_value = engine
        engine.create_execution_context.return_value = self.context
        engine.create_engine_inspector.return_value = inspector
        inspector.get_engine_information.return_value = report
        makers = {"Builder": self.builder, "OnnxParser": self.parser, "Runtime": runtime}
        enums = {name: SimpleNamespace(**members, __members__=members) for name, members in names.items() if isinstance(members, dict)}
        enums["ILogger"] = type("ILogger", (), names["ILogger"])
        self.api = ModuleType("tensorrt")
        vars(self.api).update(enums, __version__=version)
        for name, made in makers.items():
            setattr(self.api, name, Mock(return_value=made))


def _record(folder):
    entries = "createInferBuilder_INTERNAL createInferRuntime_INTERNAL createInferRefitter_INTERNAL createNvOnnxParser_INTERNAL"
    entries += (
        " createNvOnnxParserRefitter_INTERNAL getBuilderPluginRegistry getPluginRegistry getNvOnnxParserVersion initLibNvInferPlugins"
    )
    source = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in entries.split())
    headers = subprocess.run(["readelf", "-d", f"{folder}/tensorrt_bindings/tensorrt.so"], capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory() as build:
        for library in re.findall(r"NEEDED.*\[(libnv\S+)\]", headers.stdout):
            command = ["cc", "-x", "c", "-", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", f"{build}/{library}"]
            subprocess.run(command, input=source, text=True, check=True)
            ctypes.CDLL(f"{build}/{library}", ctypes.RTLD_GLOBAL)
        sys.path.insert(0, folder)
        import tensorrt_bindings

        print(json.dumps({tensorrt_bindings.__version__: names_of(tensorrt_bindings)}))


if __name__ == "__main__":
    _record(sys.argv[1])
