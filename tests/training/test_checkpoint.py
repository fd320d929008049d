"""Checkpoints: both public stream formats, the own format, and everything that must be refused."""

import json
import pickle
import struct

import pytest
import torch

from ainet.errors import ModelError, OutputError
from ainet.models import bundled
from ainet.runtime.backends import open_backend
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
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
    assert checkpoint.config["status"].startswith("interim")
    assert checkpoint.config["data"].startswith("BSDS500 train")
    assert len(checkpoint.config["initial"]) == 64
    assert exported.checkpoint_sha256 == checkpoint.sha256
    assert exported.checkpoint["status"] == checkpoint.config["status"]


class Exploit:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('ran').touch()",))


def test_tampered_pickle_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "arch": Exploit()}, "zip.tar")
    (tmp_path / "stream.tar").write_bytes(pickle.dumps({"state_dict": {}, "arch": Exploit()}, protocol=2))
    for name in ("zip.tar", "stream.tar"):
        with pytest.raises(ModelError, match=f"refused {name}.*asks to run code"):
            load_checkpoint(name)
    assert not (tmp_path / "ran").exists()


def public_file(path, change):
    state = dict(build("scn").state_dict())
    change(state)
    torch.save({"state_dict": state, "epoch": 1, "arch": "SpixelNet1l_bn"}, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv0a.0.weight"), "missing conv0a.0.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected extra"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(8)}), r"pred_mask0.bias is \(8,\) instead of \(9,\)"),
        (lambda s: s["pred_mask0.bias"].fill_(float("nan")), "pred_mask0.bias has NaN"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(9, dtype=torch.complex64)}), "pred_mask0.bias is no plain array of real"),
        (lambda s: s.update({"pred_mask0.bias": torch.zeros(9).to_sparse()}), "pred_mask0.bias is no plain array of real"),
        (lambda s: s.update({3: torch.zeros(1)}), "no 'state_dict' of tensors"),
        (lambda s: s.clear(), "missing conv0a.0.weight; .*; and 91 more"),
    ],
    ids=["missing", "extra", "shape", "nan", "complex", "sparse", "number", "empty"],
)
def test_keys_that_do_not_fit_are_named(tmp_path, change, message):
    public_file(tmp_path / "x.tar", change)
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "x.tar")


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
        (None, "not an AINet checkpoint"),
        ({"ainet": "{"}, "not an AINet checkpoint"),
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
            cut = tmp_path / f"{name}.cut"
            cut.write_bytes(data[:length])
            with pytest.raises(ModelError, match="cut"):
                load_checkpoint(cut)


def test_missing_file_and_unwritable_output(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read checkpoint .*nowhere\.tar: No such file"):
        load_checkpoint(tmp_path / "nowhere.tar")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "x.safetensors", build("scn"), {"network": "scn"})
