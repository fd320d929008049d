"""Engine files: sidecars that come back whole, and plans, hosts and sizes that do not fit."""

import hashlib
import json
from dataclasses import replace

import pytest

from ainet.errors import ModelError
from ainet.export.profiles import parse_profiles
from ainet.runtime.engine_file import EngineInfo, Profile, sidecar
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN

PLAN = bytes(range(256)) * 64
SIZES = "--size 1x160x160..4x1088x1920 --size 320x480"  # of the fixture `info`


def one_size(*shape):
    return Profile(shape, shape)


@pytest.fixture
def info():
    return EngineInfo(
        package="tensorrt-rtx",
        version="1.7.1.116",
        compute_capabilities=("sm86", "sm120"),
        profiles=(Profile((1, 160, 160), (4, 1088, 1920)), one_size(1, 320, 480)),
        model=ModelInfo("ainet", "labels", "fp16", MEAN, "a" * 64, {"epoch": 3}, "0.1.0"),
        onnx_sha256="b" * 64,
        plan_sha256=hashlib.sha256(PLAN).hexdigest(),
        layer_precisions={"fp16": 40, "fp32": 3},
    )


@pytest.fixture
def plan(info, tmp_path):
    path = tmp_path / "model.engine"
    path.write_bytes(PLAN)
    sidecar(path).write_text(info.to_json())
    return path


def test_the_sidecar_comes_back_whole(info, plan):
    assert sidecar(plan) == plan.parent / "model.engine.json"
    assert EngineInfo.load(plan) == info
    assert EngineInfo.load(str(plan)).to_json() == info.to_json()
    entries = json.loads(info.to_json())
    assert entries["model"]["cell_size"] == 16
    assert entries["profiles"][0] == {"smallest": [1, 160, 160], "largest": [4, 1088, 1920]}


def test_the_plan_comes_back_whole(info, plan):
    assert info.verify(plan) == PLAN


@pytest.mark.parametrize(
    "damage", [lambda plan: plan[:-1], lambda plan: plan[:64], lambda plan: b"", lambda plan: plan + b"\0", lambda plan: b"\1" + plan[1:]]
)
def test_a_damaged_plan_is_refused(info, plan, damage):
    plan.write_bytes(damage(PLAN))
    with pytest.raises(ModelError, match=r"model\.engine is damaged .* plan_sha256 is ") as caught:
        info.verify(plan)
    assert str(caught.value).endswith(f"; copy both files again, or build them with: ainet build MODEL.onnx -o {plan} {SIZES}")


def test_a_missing_plan_or_sidecar_is_refused(info, plan):
    sidecar(plan).unlink()
    with pytest.raises(ModelError, match=r"no readable sidecar at .*model\.engine\.json; copy it along") as caught:
        EngineInfo.load(plan)
    assert str(caught.value).endswith(f", or build both again with: ainet build MODEL.onnx -o {plan}")
    plan.unlink()
    with pytest.raises(ModelError, match=r"cannot read the engine .*No such file") as caught:
        info.verify(plan)
    assert str(caught.value).endswith(f"; make one with: ainet build MODEL.onnx -o {plan} {SIZES}")


def changed(**entries):
    return lambda text: json.dumps(json.loads(text) | entries)


def changed_model(**entries):
    return lambda text: json.dumps((whole := json.loads(text)) | {"model": whole["model"] | entries})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: "null",
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "plan_sha256"}),
        changed(profiles=[]),
        changed(profiles=[{"smallest": [1, 16], "largest": [1, 16, 16]}]),
        changed(profiles=[{"smallest": [1, 16, "x"], "largest": [1, 16, 16]}]),
        changed(profiles=[{"smallest": [1, "16", 16], "largest": [1, 16, 16]}]),
        changed(profiles=[{"smallest": [1, 16.5, 16], "largest": [1, 32, 16]}]),
        changed(profiles=[{"smallest": "111", "largest": [1, 16, 16]}]),
        changed(compute_capabilities=None),
        changed(compute_capabilities="sm90"),
        changed(compute_capabilities=[90]),
        changed(compute_capabilities={"sm90": 1}),
        changed(package=["x"]),
        changed(version=11),
        changed(onnx_sha256={}),
        changed(plan_sha256=5),
        changed(plan_sha256=None),
        changed(layer_precisions=["fp16"]),
        changed(layer_precisions={"fp16": "40"}),
        changed(layer_precisions=None),
        changed(unknown=1),
        changed(model=None),
        changed(model=[1]),
        changed_model(mean=[1, 2]),
        changed_model(mean=["0.4", "0.4", "0.4"]),
        changed_model(mean=[0.4, float("nan"), 0.4]),
        changed_model(mean=[0.4, 10**400, 0.4]),
        changed_model(mean=0.4),
        changed_model(network=None),
        changed_model(output=["logits"]),
        changed_model(precision=16),
        changed_model(checkpoint_sha256=7),
        changed_model(checkpoint="ainet.tar"),
        changed_model(tool_version=1.0),
        changed_model(unknown=1),
    ],
)
def test_a_damaged_sidecar_is_refused(plan, damage):
    sidecar(plan).write_text(damage(sidecar(plan).read_text()))
    with pytest.raises(ModelError, match=r"model\.engine\.json is not a whole sidecar .* with: ainet build MODEL\.onnx$"):
        EngineInfo.load(plan)


def test_bytes_that_are_no_text_are_refused(plan):
    sidecar(plan).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="no readable sidecar"):
        EngineInfo.load(plan)


def test_a_model_that_this_version_cannot_run_is_refused(plan):
    entries = json.loads(sidecar(plan).read_text())
    sidecar(plan).write_text(json.dumps(entries | {"model": entries["model"] | {"cell_size": 8}}))
    with pytest.raises(ModelError, match="cells of 8 pixels"):
        EngineInfo.load(plan)


def test_the_host_it_was_built_for_passes(info):
    info.check_host("x.engine", "tensorrt-rtx", "1.7.1.116", "sm86")
    info.check_host("x.engine", "tensorrt-rtx", "1.7.1.116", "sm120")


@pytest.mark.parametrize(
    ("host", "difference"),
    [
        (("tensorrt", "1.7.1.116", "sm86"), r"\(package is tensorrt-rtx, here it is tensorrt\)"),
        (("tensorrt-rtx", "1.6.1.120", "sm86"), r"\(version is 1\.7\.1\.116, here it is 1\.6\.1\.120\)"),
        (("tensorrt-rtx", "1.7.1.116", "sm90"), r"\(compute capability is sm86 or sm120, this GPU has sm90\)"),
        (("tensorrt", "11.4.0.106", "sm86"), "package is .*; version is"),
    ],
)
def test_another_host_is_refused_by_field(info, host, difference):
    with pytest.raises(ModelError, match=difference) as caught:
        info.check_host("x.engine", *host)
    assert str(caught.value).startswith("x.engine was built for another machine (")
    assert str(caught.value).endswith(f"; build it here with: ainet build MODEL.onnx -o x.engine {SIZES}")


def test_an_engine_for_no_gpu_in_particular_is_built_again_for_an_older_one(info):
    with pytest.raises(ModelError, match="this GPU has sm75") as caught:
        replace(info, compute_capabilities=()).check_host("x.engine", "tensorrt-rtx", "1.7.1.116", "sm75")
    assert str(caught.value).endswith(f": ainet build MODEL.onnx -o x.engine {SIZES} --package tensorrt-rtx --target sm75")


def test_the_smallest_fitting_profile_runs_a_size(info):
    assert info.profile_for((1, 320, 480)) == 1  # both hold it
    assert info.profile_for((1, 320, 496)) == 0
    assert info.profile_for((4, 320, 480)) == 0


@pytest.mark.parametrize(("shape", "size"), [((5, 320, 480), "5x320x480"), ((1, 144, 480), "144x480"), ((1, 1088, 1936), "1088x1936")])
def test_a_size_outside_every_profile_is_refused(info, shape, size):
    named = "x".join(map(str, shape))
    with pytest.raises(ModelError, match=rf"takes inputs of 1x160x160\.\.4x1088x1920, 320x480 \(.*\), not {named}; ") as caught:
        info.profile_for(shape)
    command = str(caught.value).partition("; build one that takes it too with: ")[2]
    assert command == f"ainet build MODEL.onnx {SIZES} --size {size}"
    taken = replace(info, profiles=parse_profiles(command.split()[4::2]))
    assert taken.profiles[: len(info.profiles)] == info.profiles
    assert taken.profile_for(shape) == len(info.profiles)
