"""Checkpoints: both public stream formats, the own format, and everything that must be refused."""

import argparse
import datetime
import functools
import json
import pickle
import struct
import tarfile
import uuid
import zipfile
from collections import defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from http import HTTPStatus
from itertools import product
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ainet.errors import ModelError, OutputError
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.merging.model import MergeNetwork
from ainet.training.networks import NETWORKS, build


def test_public_files_name_their_network(public_checkpoints):
    ainet = load_checkpoint(public_checkpoints["ainet"])
    assert ainet.name == "ainet-public"
    assert ainet.config["epoch"] == 3000
    assert ainet.config["dataset"] == "BSDS500"
    assert len(ainet.sha256) == 64
    assert load_checkpoint(public_checkpoints["scn"]).name == "scn"


def test_legacy_stream_holds_the_same_weights(public_checkpoints):
    new, old = (load_checkpoint(public_checkpoints[name]).network.state_dict() for name in ("scn", "scn_legacy"))
    assert all(torch.equal(new[key], old[key]) for key in new)


@pytest.mark.parametrize("name", NETWORKS)
def test_own_format_round_trip(tmp_path, name):
    network, path = build(name), tmp_path / "weights.safetensors"
    save_checkpoint(path, network, {"network": name, "recipe": {"lr": 1e-4}})
    loaded = load_checkpoint(path)
    assert loaded.config == {"network": name, "recipe": {"lr": 1e-4}, "format": 1}
    assert not loaded.network.training
    assert all(torch.equal(value, loaded.network.state_dict()[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["ainet", "scn"])
def test_bundled_weights_say_what_they_are(name):
    checkpoint = load_checkpoint(bundled(f"{name}.safetensors"))
    exported = open_backend(bundled(f"{name}.onnx"), "cpu").info
    assert checkpoint.config["recipe"]["splits"] == ["train"]
    assert len(checkpoint.config["initial"]) == 64
    assert exported.checkpoint_sha256 == checkpoint.sha256
    assert exported.checkpoint["recipe"] == checkpoint.config["recipe"]


class Exploit:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('ran').touch()",))


def test_tampered_pickle_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "arch": Exploit()}, "zip.tar")
    (tmp_path / "stream.tar").write_bytes(pickle.dumps({"state_dict": {}, "arch": Exploit()}, protocol=2))
    for name in ("zip.tar", "stream.tar"):
        with pytest.raises(ModelError, match=rf"refused {name}.*asks to call .*exec, but code that a file names is never run"):
            load_checkpoint(name)
    assert not (tmp_path / "ran").exists()


def public_file(path, change):
    state = dict(build("scn").state_dict())
    change(state)
    torch.save({"state_dict": state, "epoch": 1, "arch": "SpixelNet1l_bn"}, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv0b.0.weight"), "missing conv0b.0.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected extra"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(8)}), r"pred_mask0.bias is \(8,\) instead of \(9,\)"),
        (lambda s: s["pred_mask0.bias"].fill_(float("nan")), "pred_mask0.bias has NaN"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(9, dtype=torch.complex64)}), "pred_mask0.bias is no plain array of real"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(9).to_sparse()}), "pred_mask0.bias is no plain array of real"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(9, dtype=torch.int64)}), "pred_mask0.bias is no plain array of real"),
        (lambda s: s.pop("conv0a.0.weight"), r"no conv0a.0.weight among its tensors \(state_dict.conv0a.1.weight, .*, and 90 more\)"),
        (lambda s: s.clear(), r"no conv0a.0.weight among its tensors \(nothing\)"),
    ],
    ids=["missing", "extra", "shape", "nan", "complex", "sparse", "integers", "first", "empty"],
)
def test_keys_that_do_not_fit_are_named(tmp_path, change, message):
    public_file(tmp_path / "x.tar", change)
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "x.tar")


VARIANTS = {
    "bare": lambda state: state,
    "model": lambda state: {"model": state, "epoch": 7},
    "nested": lambda state: {"checkpoint": {"net": state}},
    "several processes": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
    "compiled": lambda state: {f"_orig_mod.module.{key}": value for key, value in state.items()},
    "averaged": lambda state: {"n_averaged": torch.tensor(3)} | {f"module.{key}": value for key, value in state.items()},
    "lightning": lambda state: {
        "state_dict": {f"net.{key}": value for key, value in state.items()} | {"loss.weight": torch.ones(9)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}}],
    },
    "options beside": lambda state: {
        "state_dict": state,
        "args": argparse.Namespace(lr=1e-4, out=Path("runs")),
        "best": np.float64(0.97),
        "curve": np.arange(3.0),
    },
    "statistics beside": lambda state: {
        "log": defaultdict(list, {"loss": [0.1, 0.2]}),
        "counts": defaultdict(int, {"steps": 3}),
        "last": deque([0.1, 0.2], maxlen=9),
        "state_dict": defaultdict(dict, state),
    },
    "times and numbers beside": lambda state: {
        "state_dict": state,
        "started": datetime.datetime.now(datetime.UTC),
        "day": datetime.date(2026, 11, 28),
        "took": datetime.timedelta(hours=3),
        "rate": Decimal("1e-4"),
        "share": Fraction(1, 3),
        "steps": range(0, 10, 2),
        "part": slice(3),
        "frozen": frozenset({"conv0a"}),
        "run": uuid.UUID(int=7),
        "layer": functools.partial(int, base=2),
        "out": PureWindowsPath("runs"),
    },
    "compiled in parts": lambda state: {key.replace(".0.", ".0._orig_mod.", 1): value for key, value in state.items()},
    "checkpointed activations": lambda state: {
        f"module.{key.replace('.', '._checkpoint_wrapped_module.', 1)}": value for key, value in state.items()
    },
    "old": lambda state: {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")},
    "half": lambda state: {key: value.half() if value.is_floating_point() else value for key, value in state.items()},
    "parameters": lambda state: {key: torch.nn.Parameter(value, value.is_floating_point()) for key, value in state.items()},
}


@pytest.mark.parametrize(("variant", "network"), [*product(VARIANTS, ["scn"]), ("bare", "ainet"), ("several processes", "ainet-public")])
def test_variants_of_torch_files(tmp_path, variant, network):
    original = build(network)
    torch.save(VARIANTS[variant](original.state_dict()), tmp_path / "x.pth")
    loaded = load_checkpoint(tmp_path / "x.pth")
    assert loaded.config == {"network": network, "source": "x.pth"} | ({"epoch": 7} if variant == "model" else {})
    for key, value in original.state_dict().items():
        expected = value.half().float() if variant == "half" and value.is_floating_point() else value
        torch.testing.assert_close(loaded.network.state_dict()[key], expected, rtol=0, atol=0)


def test_weights_of_8_bits_are_read(tmp_path):
    state = build("scn").state_dict()
    rounded = {key: value.to(torch.float8_e4m3fn) if value.is_floating_point() else value for key, value in state.items()}
    save_file(rounded, tmp_path / "x.safetensors")
    loaded = load_checkpoint(tmp_path / "x.safetensors")
    assert loaded.config == {"network": "scn", "source": "x.safetensors"}
    assert torch.equal(loaded.network.state_dict()["conv0a.0.weight"], rounded["conv0a.0.weight"].float())
    rounded["conv0b.0.weight"] = torch.full((16, 16, 3, 3), float("nan")).to(torch.float8_e5m2)
    save_file(rounded, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"conv0b\.0\.weight has NaN"):
        load_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize("networks", [{"model": "scn", "model_ema": "scn"}, {"student": "ainet-lite", "teacher": "ainet"}])
def test_two_networks_in_a_file_are_not_told_apart(tmp_path, networks):
    torch.save({key: build(name).state_dict() for key, name in networks.items()}, tmp_path / "x.pth")
    first, second = networks
    with pytest.raises(ModelError, match=rf"the weights of 2 networks \({first}\., {second}\.\)"):
        load_checkpoint(tmp_path / "x.pth")


def test_what_lies_beside_the_weights_of_a_run(tmp_path):
    """Its state, its folder, and an export: each says what to name in its place."""
    state = build("scn").state_dict()
    torch.save({"weights": state, "ema": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "state.pt")
    for path, message in (
        (tmp_path / "state.pt", r"weights of 2 networks .* of a training run name weights\.safetensors"),
        (tmp_path, r"is a folder; name the checkpoint in it, such as weights\.safetensors"),
        (bundled("scn.onnx"), r"scn\.onnx is an ONNX model; name the checkpoint that it was exported from"),
    ):
        with pytest.raises(ModelError, match=message):
            load_checkpoint(path)


def test_a_network_beside_its_compiled_form(tmp_path):
    state = build("scn").state_dict()
    torch.save(state | {f"_orig_mod.{key}": value for key, value in state.items()}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="weights of 2 networks"):
        load_checkpoint(tmp_path / "x.pth")


def test_a_torch_file_with_the_ending_of_another_kind(tmp_path):
    state = build("scn").state_dict()
    torch.save(state, tmp_path / "x.safetensors")
    assert torch.equal(load_checkpoint(tmp_path / "x.safetensors").network.state_dict()["conv0a.0.weight"], state["conv0a.0.weight"])


def test_mappings_without_end(tmp_path):
    """Each holds itself, and a hundred times the next one."""
    innermost = {"a": torch.zeros(1)}
    for _ in range(8):
        innermost = {str(number): innermost for number in range(100)}
        innermost["self"] = innermost
    torch.save(innermost, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="no weights of AINet or SCN"):
        load_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {key: value.numpy() for key, value in build("scn").state_dict().items()}},
            r"holds 94 numpy arrays \(model\.conv0a.*from_numpy",
        ),
        (build("scn"), r"asks to call ainet\.training\.networks\.scn\.SCN, .*state_dict"),
        ({"state_dict": {}, "status": HTTPStatus.OK}, r"asks to call http\.HTTPStatus, "),
        ([torch.zeros(3)], "holds a list"),
    ],
    ids=["arrays", "module", "enum", "list"],
)
def test_other_content_is_named(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize("sizes", [[10**9], [16, 48, 4, 16, 1], ["16"], [-1], "16", [16, True]])
def test_impossible_sizes_of_the_network_for_merging(tmp_path, sizes):
    save_checkpoint(tmp_path / "x.safetensors", build("scn"), {"network": "scn"}, MergeNetwork())
    state = load_file(tmp_path / "x.safetensors")
    save_file(state, tmp_path / "x.safetensors", {"ainet": json.dumps({"format": 1, "network": "scn", "merging": sizes})})
    with pytest.raises(ModelError, match="impossible sizes"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_a_model_cast_to_half_precision_is_read(tmp_path):
    network = build("scn").half()
    torch.save({key: value.half() for key, value in network.state_dict().items()}, tmp_path / "x.pth")
    loaded = load_checkpoint(tmp_path / "x.pth").network
    assert torch.equal(loaded.conv0a[0].weight, network.conv0a[0].weight.float())
    assert loaded.conv0a[1].num_batches_tracked == 0


def test_other_network_is_refused(tmp_path):
    save_checkpoint(tmp_path / "x.safetensors", build("scn"), {"network": "ainet"})
    with pytest.raises(ModelError, match="does not fit the network AINet: missing bridge_sp1"):
        load_checkpoint(tmp_path / "x.safetensors")


def own_file(path, metadata):
    header = json.dumps({"__metadata__": metadata} if metadata is not None else {}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, r"no conv0a.0.weight among its tensors \(nothing\)"),
        ({"ainet": "{"}, "not an AINet checkpoint"),
        ({"ainet": "[" * 100_000}, "not an AINet checkpoint"),
        ({"ainet": "9" * 5000}, "not an AINet checkpoint"),
        ({"ainet": json.dumps({"format": 2, "network": "scn"})}, "format 2, this version reads format 1; update"),
        ({"ainet": json.dumps({"format": 1, "network": "vgg"})}, "unknown network 'vgg'"),
        ({"ainet": json.dumps({"format": 1, "network": ["scn"]})}, "unknown network"),
    ],
)
def test_foreign_safetensors_are_refused(tmp_path, metadata, message):
    own_file(tmp_path / "x.safetensors", metadata)
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "x.safetensors")


def test_damaged_files_are_refused(tmp_path, public_checkpoints):
    save_checkpoint(tmp_path / "whole.safetensors", build("scn"), {"network": "scn"})
    whole = {"own": tmp_path / "whole.safetensors", "zip": public_checkpoints["scn"], "stream": public_checkpoints["scn_legacy"]}
    for name, path in whole.items():
        data = path.read_bytes()
        for length in (0, 5, 100, len(data) // 2):
            part = tmp_path / f"{name}.part"
            part.write_bytes(data[:length])
            reason = "damaged|cut off" if length else "it is empty"
            with pytest.raises(ModelError, match=rf"{name}\.part.*({reason})"):
                load_checkpoint(part)


def test_missing_file_and_unwritable_output(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read checkpoint .*nowhere\.tar: No such file"):
        load_checkpoint(tmp_path / "nowhere.tar")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "x.safetensors", build("scn"), {"network": "scn"})


@pytest.mark.parametrize("prefix", ["", "module.", "net.model."])
def test_bare_weights_of_ainet_lite(tmp_path, prefix):
    torch.manual_seed(0)
    original = build("ainet-lite")
    state = {prefix + key: value for key, value in original.state_dict().items()}
    torch.save(state, tmp_path / "x.pth")
    save_file(state, tmp_path / "x.safetensors")
    for name in ("x.pth", "x.safetensors"):
        loaded = load_checkpoint(tmp_path / name)
        assert loaded.config["network"] == "ainet-lite"
        assert all(torch.equal(value, loaded.network.state_dict()[key]) for key, value in original.state_dict().items())


def test_what_is_no_torch_file_is_named(tmp_path):
    torch.save(build("scn").state_dict(), tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "x.pth", "x.pth")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "x.pth", "x.pth")
    for name in ("x.zip", "x.tar"):
        with pytest.raises(ModelError, match="unpack it first"):
            load_checkpoint(tmp_path / name)
    torch.save(build("scn").state_dict(), tmp_path / "x.pth", pickle_protocol=4)
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(600))
    for name in ("x.pth", "x.png"):
        with pytest.raises(
            ModelError, match=r"of another kind, damaged, or pickled by a protocol .*torch\.save\(model\.state_dict\(\), file\)"
        ):
            load_checkpoint(tmp_path / name)


def test_an_incomplete_copy_lacks_the_cost_for_merging(tmp_path):
    loaded = load_checkpoint(bundled("ainet-lite.safetensors"))
    metadata = {"ainet": json.dumps({**loaded.config, "format": 1})}
    save_file(loaded.network.state_dict(), tmp_path / "x.safetensors", metadata)
    with pytest.raises(ModelError, match="lacks the cost for merging"):
        load_checkpoint(tmp_path / "x.safetensors")
    save_checkpoint(tmp_path / "without.safetensors", loaded.network, loaded.config)
    assert load_checkpoint(tmp_path / "without.safetensors").merging is None


def test_a_torch_file_with_a_damaged_directory(tmp_path):
    torch.save(build("scn").state_dict(), tmp_path / "x.pth")
    content = (tmp_path / "x.pth").read_bytes()
    (tmp_path / "x.pth").write_bytes(content.replace(b"PK\x01\x02", b"PK\x01\x07", 1))
    with pytest.raises(ModelError, match="fetch it again"):
        load_checkpoint(tmp_path / "x.pth")


def test_bundled_tensors_without_their_metadata(tmp_path):
    for name in ("ainet-lite", "ainet"):
        save_file(load_file(bundled(f"{name}.safetensors")), tmp_path / "x.safetensors")
        loaded = load_checkpoint(tmp_path / "x.safetensors")
        assert (loaded.config["network"], loaded.merging) == (name, None)
