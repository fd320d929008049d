"""The full TensorRT's calls against its recorded names, and TensorRT packages that cannot be used."""

import json
import sys
from types import SimpleNamespace

import pytest
from support.tensorrt_names import RECORDED, StandIn, names_of

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.export.engine import build_engine
from ainet.files import read_sealed, write_sealed
from ainet.runtime import tensorrt_api as packages
from ainet.runtime.cuda import devices
from ainet.runtime.engine_file import cache_file

pytestmark = pytest.mark.slow

HALF = json.dumps({"Layers": [{"Outputs": [{"Format/Datatype": "Half"}]}] * 2 + [{"Outputs": [{"Format/Datatype": "Float"}]}]})
FLOAT = HALF.replace("Half", "Float")


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a module made of recorded names in the place of `tensorrt`, on a machine that has a GPU of sm90."""

    def install(version, names=None, report=HALF):
        made = StandIn(names or RECORDED[version], version, report)
        monkeypatch.setitem(sys.modules, "tensorrt", made.api)
        monkeypatch.setattr("ainet.export.engine.local_capability", lambda: "sm90")
        return made

    return install


@pytest.mark.parametrize("version", RECORDED)
def test_full_tensorrt_gets_calls_that_it_has(stand_in, models, tmp_path, version):
    """Every name is looked up among the recorded ones; one that is not there fails."""
    made = stand_in(version)
    info = build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["320x480", "2x160x160..2x1088x1920"])
    assert (info.package, info.version, info.compute_capabilities) == ("tensorrt", version, ("sm90",))
    assert info.layer_precisions == {"fp16": 2, "fp32": 1}
    assert info.verify(tmp_path / "x.engine") == b"plan"
    made.builder.create_network.assert_called_once_with({"10": 2, "11": 1}[version[:2]])  # the flag's bit differs
    made.config.clear_flag.assert_called_once_with(made.api.BuilderFlag.TF32)
    made.config.set_flag.assert_not_called()
    assert made.config.profiling_verbosity == made.api.ProfilingVerbosity.DETAILED
    fixed, largest = (1, 3, 320, 480), (2, 3, 1088, 1920)
    assert [call.args for call in made.profile.set_shape.mock_calls] == [
        ("image", fixed, fixed, fixed),
        ("image", (2, 3, 160, 160), largest, largest),
    ]
    made.context.set_input_shape.assert_called_once_with("image", fixed)
    made.config.create_timing_cache.assert_called_once_with(b"")
    made.config.set_timing_cache.assert_called_once_with(made.config.create_timing_cache.return_value, ignore_mismatch=False)
    assert read_sealed(cache_file(tmp_path / "x.engine"), f"times of tensorrt {version} on sm90") == b"times"
    build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["320x480"])
    assert made.config.create_timing_cache.call_args.args == (b"times",)


def test_times_that_the_builder_refuses(stand_in, models, tmp_path):
    made = stand_in("11.4.0.106")
    write_sealed(cache_file(tmp_path / "x.engine"), b"of old drivers", "times of tensorrt 11.4.0.106 on sm90")
    made.config.set_timing_cache.side_effect = [False, True]
    build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["320x480"])
    assert [call.args for call in made.config.create_timing_cache.call_args_list] == [(b"of old drivers",), (b"",)]
    assert read_sealed(cache_file(tmp_path / "x.engine"), "times of tensorrt 11.4.0.106 on sm90") == b"times"
    made.config.set_timing_cache.side_effect = None
    made.config.set_timing_cache.return_value, made.config.get_timing_cache.return_value = False, None  # none at all
    assert build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["64x64"]).profiles[0].largest == (1, 64, 64)


@pytest.mark.parametrize("kept", ["junk", "another GPU"])
def test_times_that_are_not_of_this_machine_reach_no_library(stand_in, models, tmp_path, kept):
    made = stand_in("11.4.0.106")
    if kept == "junk":
        cache_file(tmp_path / "x.engine").write_bytes(b"times" * 20)
    else:
        write_sealed(cache_file(tmp_path / "x.engine"), b"times", "times of tensorrt 11.4.0.106 on sm86")
    build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["320x480"])
    made.config.create_timing_cache.assert_called_once_with(b"")


def test_tensorrt_rtx_has_every_name_too(rtx, stand_in, models, tmp_path):
    made = stand_in(rtx.__version__, names_of(rtx))
    info = build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["64x64"], targets=["sm120", "sm86"])
    assert info.compute_capabilities == ("sm86", "sm120")
    made.config.set_flag.assert_called_once_with(made.api.BuilderFlag.REQUIRE_USER_ALLOCATION)
    assert not cache_file(tmp_path / "x.engine").exists()  # it takes no times
    assert made.config.num_compute_capabilities == 2
    capabilities = made.api.ComputeCapability
    assert [call.args for call in made.config.set_compute_capability.mock_calls] == [(capabilities.SM86, 0), (capabilities.SM120, 1)]


def test_the_stand_in_refuses_other_names():
    """What the two tests above rest on."""
    made = StandIn(RECORDED["11.4.0.106"], "11", HALF)
    with pytest.raises(AttributeError):
        made.config.set_compute_capability(0, 0)
    with pytest.raises(AttributeError):
        made.config.workspace_size = 1
    with pytest.raises(AttributeError):
        _ = made.api.BuilderFlag.FP16


@pytest.mark.parametrize(("asked", "report"), [("fp16", FLOAT), ("fp32", HALF)])
def test_an_engine_of_another_precision_is_an_error(stand_in, models, tmp_path, asked, report):
    stand_in("11.4.0.106", report=report)
    with pytest.raises(ModelError, match=f"the engine is not {asked}: its layers' outputs are"):
        build_engine(models[asked, "logits"], tmp_path / "x.engine", ["64x64"])
    assert not list(tmp_path.iterdir())


def test_full_tensorrt_reports_parser_and_builder_errors(stand_in, models, tmp_path):
    made = stand_in("10.16.1.11")
    made.builder.build_serialized_network.return_value = None
    with pytest.raises(ModelError, match=r"tensorrt 10\.16\.1\.11 cannot build .*: it gave no reason"):
        build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["64x64"])
    made.parser.parse.return_value = False
    made.parser.num_errors = 0
    with pytest.raises(ModelError, match=r"cannot read .*: it gave no reason"):
        build_engine(models["fp16", "logits"], tmp_path / "x.engine", ["64x64"])


def test_full_tensorrt_refuses_targets_and_a_machine_without_gpu(stand_in, monkeypatch, models, tmp_path, no_gpu):
    stand_in("11.4.0.106")
    with pytest.raises(UsageError, match="this machine's GPU alone; for named targets use --package tensorrt-rtx"):
        build_engine(models["fp32", "logits"], tmp_path / "x.engine", package="tensorrt", targets=["sm86"])
    monkeypatch.setattr("ainet.export.engine.local_capability", devices.local_capability)
    with pytest.raises(DeviceError, match=r"'tensorrt' builds on a GPU: .*; without one use --package tensorrt-rtx"):
        build_engine(models["fp32", "logits"], tmp_path / "x.engine", package="tensorrt")


def test_packages_that_cannot_be_used_say_why(monkeypatch):
    with pytest.raises(UsageError, match="unknown TensorRT package 'trt'; choose one of tensorrt, tensorrt-rtx"):
        packages.load_package("trt")
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(DeviceError, match=r"'tensorrt' cannot be used .* pip install 'ainet-toolkit\[tensorrt\]'"):
        packages.load_package("tensorrt")
    with pytest.raises(DeviceError, match="no TensorRT is installed"):
        packages.load_package()
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace())  # type stubs alone
    with pytest.raises(DeviceError, match="'tensorrt' cannot be used"):
        packages.load_package("tensorrt")
    old = SimpleNamespace(__version__="8.6.1", NetworkDefinitionCreationFlag=SimpleNamespace(EXPLICIT_BATCH=0))
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(DeviceError, match=r"tensorrt 8\.6\.1 has no strongly typed networks: pip install --upgrade"):
        packages.load_package("tensorrt")


def test_the_installed_package_is_the_default(rtx, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert packages.load_package().name == "tensorrt-rtx"
