"""The training step: what enters the loss with which weight, and which label the boundary loss looks at."""

from dataclasses import replace

import pytest
import torch

from ainet.errors import UsageError
from ainet.models import bundled_checkpoint
from ainet.training.augment import Batch
from ainet.training.boundary import PATCH, boundary_loss, sample_patches
from ainet.training.checkpoint import load_checkpoint
from ainet.training.losses import LOSS_SCALE, association_loss
from ainet.training.networks import UNet, build
from ainet.training.recipe import Recipe
from ainet.training.step import FIGURES, TrainingStep, boundary_label

SIZE = 48  # of the crops
PAPER = Recipe("tiny", iterations=1, batch_size=2, lr=1e-3, crop=SIZE, boundary="paper", boundary_weight=0.25, jitter="paper")
PUBLIC = replace(PAPER, boundary="public", jitter="public")
ROW, COLUMN = 20, 30  # where the regions of `batch` meet: after jitter, and before


@pytest.fixture
def batch() -> Batch:
    """Noise. The label has an upper and a lower region, the label before jitter a left and a right one."""
    line = torch.arange(SIZE)
    label, plain = (line >= ROW).long()[:, None].expand(2, 1, SIZE, SIZE), (line >= COLUMN).long().expand(2, 1, SIZE, SIZE)
    return Batch(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) - 0.5, label, plain)


@pytest.fixture
def network() -> UNet:
    torch.manual_seed(0)
    return build("ainet").eval()


@torch.no_grad()
@pytest.mark.parametrize("recipe", [PAPER, PUBLIC], ids=["paper", "public"])
def test_the_boundary_loss_has_its_weight_form_and_label(batch: Batch, network: UNet, recipe: Recipe) -> None:
    corners = torch.cat([sample_patches(label[:, 0], torch.Generator().manual_seed(1)) for label in (batch.label, batch.plain_label)])
    logits, embedding = network.features(batch.image)
    association = association_loss(logits.softmax(1), batch.label, classes=2)
    label = batch.plain_label if recipe is PUBLIC else batch.label
    boundary = boundary_loss(embedding, label[:, 0], corners, public=recipe is PUBLIC)

    total, figures = TrainingStep(network, recipe, classes=2)(batch, corners)
    torch.testing.assert_close(total, association.total + LOSS_SCALE * 0.25 * boundary)
    torch.testing.assert_close(figures, torch.stack((total, association.semantic, association.position, boundary, *torch.zeros(2))))


@torch.no_grad()
def test_without_patches_there_is_no_boundary_loss(batch: Batch, network: UNet) -> None:
    total, figures = TrainingStep(network, PAPER, classes=2)(batch, None)
    association = association_loss(network.features(batch.image)[0].softmax(1), batch.label, classes=2)
    torch.testing.assert_close(total, association.total)
    assert figures[FIGURES.index("boundary")] == 0


@pytest.mark.parametrize("recipe", [PAPER, PUBLIC], ids=["paper", "public"])
def test_patches_are_proposed_on_the_label_of_the_recipe(batch: Batch, recipe: Recipe) -> None:
    corners = sample_patches(boundary_label(batch, recipe), torch.Generator().manual_seed(0))
    _, row, column = corners[corners[:, 0] >= 0].unbind(1)
    centre, border = (column, COLUMN) if recipe is PUBLIC else (row, ROW)
    assert set((centre + PATCH // 2).tolist()) == {border - 1, border}


@torch.no_grad()
def test_distillation_adds_the_divergence_from_the_bundled_network(batch: Batch, network: UNet) -> None:
    recipe = replace(PAPER, boundary="off", jitter="off", distillation=0.3)
    total, figures = TrainingStep(network, recipe, classes=2)(batch, None)
    student, teacher = (of(batch.image).double().softmax(1) for of in (network, load_checkpoint(bundled_checkpoint("ainet")).network))
    expected = LOSS_SCALE / 2 * (teacher * (teacher / student).log()).sum()
    torch.testing.assert_close(figures[FIGURES.index("distillation")].double(), expected, rtol=1e-4, atol=0)
    association = association_loss(student.float(), batch.label, classes=2)
    torch.testing.assert_close(total, association.total + 0.3 * expected.float(), rtol=1e-4, atol=0)


def test_the_boundary_loss_needs_an_embedding_of_every_pixel() -> None:
    with pytest.raises(UsageError, match="boundary loss"):
        TrainingStep(build("ainet-lite"), PAPER, classes=2)


@torch.no_grad()
def test_bfloat16_changes_little(batch: Batch, network: UNet) -> None:
    loss, figures = TrainingStep(network, PAPER, classes=2, bf16=True)(batch, None)
    reference = TrainingStep(network, PAPER, classes=2)(batch, None)[0]
    assert loss.dtype == figures.dtype == torch.float32 and loss != reference
    torch.testing.assert_close(loss, reference, rtol=0.02, atol=1e-3)
