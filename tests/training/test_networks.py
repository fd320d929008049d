"""Networks against the reference vectors, and the closed AI module against the literal window."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.literal_window import literal_implantation

from ainet.errors import ModelError
from ainet.training.checkpoint import load_checkpoint
from ainet.training.networks import NETWORKS, build
from ainet.training.networks.implantation import CPixImplantation, Implantation, PNborImplantation, PublicImplantation

CASES = ("a_1x3x64x96", "b_2x3x48x32", "c_1x3x208x208")
VARIANTS = {"paper": Implantation, "pnbor": PNborImplantation, "cpix": CPixImplantation, "released": PublicImplantation}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["ainet", "scn", "scn_legacy"])
def test_public_checkpoint_gives_the_reference_outputs(public_checkpoints, vectors, kind, case):
    reference = vectors(f"{kind.removesuffix('_legacy')}_public_vectors")
    network = load_checkpoint(public_checkpoints[kind]).network
    with torch.inference_mode():
        logits, embedding = network.features(torch.from_numpy(reference[f"{case}.input"]))
    expected = reference[f"{case}.prob"]
    tolerance = 1e-4 if expected.dtype == np.float32 else 1e-3
    np.testing.assert_allclose(logits.softmax(1), expected, rtol=0, atol=tolerance)
    if f"{case}.logits" in reference:
        np.testing.assert_allclose(logits, reference[f"{case}.logits"], rtol=0, atol=1e-4)
    if f"{case}.pixel_embedding" in reference:
        np.testing.assert_allclose(embedding, reference[f"{case}.pixel_embedding"], rtol=0, atol=1e-4)
    if f"{case}.pixel_embedding_s2" in reference:
        np.testing.assert_allclose(embedding[:, :, ::2, ::2], reference[f"{case}.pixel_embedding_s2"], rtol=0, atol=1e-2)


@pytest.mark.parametrize("case", CASES[:2])
def test_stages_of_the_public_network(public_checkpoints, vectors, case):
    reference = vectors("ainet_public_vectors")
    network = load_checkpoint(public_checkpoints["ainet"]).network
    with torch.inference_mode():
        encoded = torch.from_numpy(reference[f"{case}.conv4b"])
        attention = network.sp_pred(encoded)
        np.testing.assert_allclose(attention, reference[f"{case}.attn2"], rtol=0, atol=1e-4)
        grid = network.bridge_sp2(network.bridge_sp1(encoded + attention))
        np.testing.assert_allclose(grid, reference[f"{case}.sp_map"], rtol=0, atol=1e-4)
        implanted = network.merge_sp[0](grid, torch.from_numpy(reference[f"{case}.pixel_embedding"]))
        np.testing.assert_allclose(implanted, reference[f"{case}.ai_conv"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("variant", "key"), [("paper", "paper"), ("pnbor", "pnbor"), ("cpix", "cpix"), ("released", "released_no_bias")])
def test_ai_module_gives_the_reference_outputs(vectors, variant, key):
    reference = {name: torch.from_numpy(value).double() for name, value in vectors("ai_module_vectors").items()}
    module = VARIANTS[variant](4, 5, bias=variant != "released").double()
    module.weight.data = reference["weight"]
    if module.bias is not None:
        module.bias.data = reference["bias"]
    output = module(reference["grid_embedding"], reference["pixel_embedding"])
    np.testing.assert_allclose(output.detach(), reference[key], rtol=1e-6, atol=1e-6)  # stored as float32


@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 4), columns=st.integers(1, 4), channels=st.integers(1, 3), bias=st.booleans(), seed=st.integers(0, 2**31))
def test_closed_form_equals_the_literal_window(variant, rows, columns, channels, bias, seed):
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    module = VARIANTS[variant](channels, 2, bias).double()
    module.weight.data = random(2, channels, 3, 3)
    if bias:
        module.bias.data = random(2)
    grid, pixel = random(2, channels, rows, columns), random(2, channels, 16 * rows, 16 * columns)
    expected = literal_implantation(grid, pixel, module.weight, module.bias, variant)
    assert (module(grid, pixel) - expected).abs().max() < 1e-12


def test_literal_window_of_a_known_case():
    """One cell, all kernel weights 1: the sum over the window is the cell plus the pixel (paper), or the pixel alone (CPix)."""
    grid, pixel = torch.full((1, 1, 1, 1), 5.0), torch.arange(256.0).reshape(1, 1, 16, 16)
    weight = torch.ones(1, 1, 3, 3)
    assert torch.equal(literal_implantation(grid, pixel, weight, None, "paper"), pixel + 5)
    assert torch.equal(literal_implantation(grid, pixel, weight, None, "cpix"), pixel)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train(name):
    """Every parameter takes part in the output, and one cell is enough."""
    network = build(name)
    output = network(torch.randn(2, 3, 32, 16))
    assert output.shape == (2, 9, 32, 16)
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()(torch.randn(1, 3, 16, 16)).shape == (1, 9, 16, 16)


def test_parameter_counts_match_the_public_files():
    def count(name):
        return sum(parameter.numel() for parameter in build(name).parameters())

    unused = sum(9 * 9 * channels + 9 for channels in (32, 64, 128))  # pred_mask1 to 3, which the public files carry along
    assert count("ainet-public") + unused == 5_991_476
    assert count("scn") + unused == 2_287_956


@torch.inference_mode()
def test_the_lite_network_begins_with_places_of_2x2_pixels_and_ends_with_their_pixels():
    network = build("ainet-lite").double().eval()
    first, image = network.conv1a[0], torch.randn(1, 3, 32, 48, dtype=torch.float64)
    # the kernel (16, 3, 6, 6), its rows and columns cut into steps and places within a step: (16, 3 * 2 * 2, 3, 3)
    kernel = first.weight.unflatten(3, (3, 2)).unflatten(2, (3, 2)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    expected = F.conv2d(F.pixel_unshuffle(image, 2), kernel, padding=1)
    torch.testing.assert_close(first(image), expected)

    features = network.encode(image)
    scores = network.predict(features, network.decode(features))
    network.pred_mask0.weight[4 * 5 + 2] = 0  # of cell 5, the pixel in the second row and first column of each place
    network.pred_mask0.bias[4 * 5 + 2] = 7
    changed = network(image)
    assert (changed[:, 5, 1::2, 0::2] == 7).all()
    changed[:, 5, 1::2, 0::2] = scores[:, 5, 1::2, 0::2]
    assert torch.equal(changed, scores)


def test_unknown_network_is_named():
    with pytest.raises(ModelError, match="unknown network 'unet'; choose one of ainet, "):
        build("unet")
