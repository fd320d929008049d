"""The association losses against reference vectors and against their literal one-hot form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.gradients import assert_gradient
from support.literal_loss import literal_loss, pool, reconstruct
from torch import Tensor

from ainet.training.losses import association_loss, dense_ids


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, Any]:
    with np.load(shared / "reference/networks/protocol_vectors.npz") as file:
        return {key: file[key] for key in file.files if key.startswith(("pool.", "loss."))}


def random_case(batch: int, height: int, width: int, classes: int, sharpness: float = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(batch * height + width)
    logits = sharpness * torch.randn(batch, 9, height, width, generator=generator, dtype=torch.float64)
    coarse = torch.randint(classes, (batch, 1, height // 8, width // 8), generator=generator).double()
    return logits, F.interpolate(coarse, scale_factor=8)[:, 0].long()


def test_literal_pool_and_reconstruct_equal_the_public_code(vectors: dict[str, Any]) -> None:
    feature, prob = torch.from_numpy(vectors["pool.feat"]), torch.from_numpy(vectors["pool.prob"])
    pooled = pool(feature, prob)
    torch.testing.assert_close(pooled, torch.from_numpy(vectors["pool.pooled"]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(reconstruct(pooled, prob), torch.from_numpy(vectors["pool.reconstructed"]), rtol=1e-5, atol=1e-6)


def test_values_and_gradient_equal_the_public_code(vectors: dict[str, Any]) -> None:
    prob = torch.from_numpy(vectors["pool.prob"]).requires_grad_()
    loss = association_loss(prob, torch.from_numpy(vectors["loss.label"]), classes=50)
    torch.testing.assert_close(torch.stack(loss).double(), torch.from_numpy(vectors["loss.scn_total_sem_pos"]), rtol=1e-5, atol=0)
    loss.total.backward()
    expected = torch.from_numpy(vectors["loss.grad_prob"])
    torch.testing.assert_close(prob.grad, expected, rtol=1e-5, atol=1e-5 * expected.abs().mean().item())


@pytest.mark.parametrize(("batch", "height", "width", "classes"), [(1, 16, 16, 3), (2, 32, 48, 7), (1, 64, 16, 40), (3, 48, 32, 1)])
def test_equals_the_literal_one_hot_form(batch: int, height: int, width: int, classes: int) -> None:
    logits, label = random_case(batch, height, width, classes)
    gradients = []
    for fast in (True, False):
        leaf = logits.clone().requires_grad_()
        prob = leaf.softmax(1)
        semantic, position = association_loss(prob, label[:, None], classes)[1:] if fast else literal_loss(prob, label, classes)
        gradients.append((semantic, position, *torch.autograd.grad(semantic + position, leaf)))
    for own, literal in zip(*gradients, strict=True):
        torch.testing.assert_close(own, literal, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradient(memory_format: torch.memory_format) -> None:
    logits, label = random_case(2, 32, 32, 4)
    assert_gradient(lambda x: association_loss(x.softmax(1), label[:, None], 4).total, logits.contiguous(memory_format=memory_format))


def literal_weighted_semantic(prob: Tensor, label: Tensor, classes: int, weight: float) -> Tensor:
    one_hot = F.one_hot(label, classes).permute(0, 3, 1, 2).to(prob.dtype)
    entropy = -((reconstruct(pool(one_hot, prob), prob) + 1e-8).log() * one_hot).sum(1)  # (B, H, W)
    weights = torch.ones_like(entropy)
    for image, y, x in np.ndindex(len(label), label.shape[1] // 16, label.shape[2] // 16):
        cell = image, slice(16 * y, 16 * y + 16), slice(16 * x, 16 * x + 16)
        if len(label[cell].unique()) == 1:
            weights[cell] = weight
    return 0.005 * sum((w / w.mean() * e).sum() for w, e in zip(weights, entropy, strict=True)) / len(label)


@pytest.mark.parametrize("weight", [0.1, 0.5, 3.0])
def test_weight_of_single_class_cells_equals_the_literal_one_hot_form(weight: float) -> None:
    logits, label = random_case(3, 48, 64, 2)
    label[0, :16, :32] = 1  # cells of one class in the first image; all of the last
    label[2] = 0
    gradients = []
    for fast in (True, False):
        leaf = logits.clone().requires_grad_()
        prob = leaf.softmax(1)
        if fast:
            semantic = association_loss(prob, label[:, None], 2, single_class_weight=weight).semantic
        else:
            semantic = literal_weighted_semantic(prob, label, 2, weight)
        gradients.append((semantic, *torch.autograd.grad(semantic, leaf)))
    for own, literal in zip(*gradients, strict=True):
        torch.testing.assert_close(own, literal, rtol=1e-10, atol=1e-12)
    plain = association_loss(logits.softmax(1), label[:, None], 2)
    assert association_loss(logits.softmax(1), label[:, None], 2, single_class_weight=weight).position == plain.position
    assert abs(gradients[0][0] - plain.semantic) > 1e-3  # there is something to weigh
    last = logits[2:].softmax(1), label[2:, None], 2  # where all cells are alike there is not
    torch.testing.assert_close(association_loss(*last, single_class_weight=weight).semantic, association_loss(*last).semantic)


def test_gradient_with_weighted_cells() -> None:
    logits, label = random_case(1, 32, 32, 2)
    label[0, :16, :16] = 0
    assert_gradient(lambda x: association_loss(x.softmax(1), label[:, None], 2, single_class_weight=0.1).total, logits)


def test_a_larger_bound_on_the_ids_changes_nothing() -> None:
    logits, label = random_case(2, 32, 48, 5)
    prob = logits.softmax(1)
    torch.testing.assert_close(association_loss(prob, label[:, None], 5), association_loss(prob, label[:, None], 300), rtol=1e-14, atol=0)


@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_annotations_of_a_crop_are_averaged(weight: float) -> None:
    logits, label = random_case(2, 32, 48, 5)
    labels = torch.stack((label, label.flip(2), label % 2), 1)
    prob = logits.softmax(1)
    together = association_loss(prob, labels, 5, single_class_weight=weight)
    alone = [association_loss(prob, one[:, None], 5, single_class_weight=weight) for one in labels.unbind(1)]
    torch.testing.assert_close(together.semantic, torch.stack([one.semantic for one in alone]).mean(), rtol=1e-12, atol=0)
    assert together.position == alone[0].position


def test_dense_ids_keep_regions_apart_and_the_loss_as_it_is() -> None:
    logits, label = random_case(2, 32, 48, 5)
    labels = torch.stack((label * 7 + 3, label.flip(2) // 3), 1)
    dense, count = dense_ids(labels, 40)
    assert count == 5 and dense.amin((2, 3)).tolist() == [[0, 0], [0, 0]]
    for one, other in zip(labels.flatten(0, 1), dense.flatten(0, 1), strict=True):
        pairs = torch.stack((one, other)).flatten(1).unique(dim=1)
        assert pairs.shape[1] == len(one.unique()) == len(other.unique())
    prob = logits.softmax(1)
    torch.testing.assert_close(association_loss(prob, dense, count), association_loss(prob, labels, 40), rtol=1e-14, atol=0)


def test_label_names_do_not_matter() -> None:
    logits, label = random_case(1, 48, 48, 6)
    prob = logits.softmax(1)
    renamed = torch.tensor([4, 9, 0, 7, 2, 5])[label]
    torch.testing.assert_close(association_loss(prob, label[:, None], 10), association_loss(prob, renamed[:, None], 10), rtol=1e-12, atol=0)


def test_a_perfect_assignment_costs_nothing_but_position() -> None:
    label = torch.arange(6).view(1, 2, 3).repeat_interleave(16, 1).repeat_interleave(16, 2)  # one class per cell
    prob = torch.zeros(1, 9, 32, 48, dtype=torch.float64)
    prob[:, 4] = 1
    loss = association_loss(prob, label[:, None], 6)
    assert loss.semantic.abs().item() < 1e-6
    offsets = np.arange(16) - 7.5
    mean_distance = np.hypot(offsets[:, None], offsets).sum() * 6
    assert loss.position.item() == pytest.approx(0.005 * 0.003 / 16 * mean_distance, rel=1e-6)
