"""The boundary-perceiving loss and the choice of its patches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.gradients import assert_gradient
from torch import Tensor

from ainet.training.boundary import MOST_PATCHES, PATCH, boundary_loss, sample_patches
from ainet.training.losses import BOUNDARY_WEIGHT, LOSS_SCALE


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, Any]:
    with np.load(shared / "reference/networks/protocol_vectors.npz") as file:
        return {key: file[key] for key in file.files if key.startswith(("bpl.", "loss."))}


def literal_loss(embedding: Tensor, label: Tensor, corner: tuple[int, int, int]) -> Tensor:
    """Eq. 6-8 for one patch, pixel by pixel."""
    image, top, left = corner
    pixels = [(y, x) for y in range(top, top + PATCH) for x in range(left, left + PATCH)]
    regions = sorted({label[image, y, x].item() for y, x in pixels})
    assert len(regions) == 2
    means = []
    for region in regions:
        members = [embedding[image, :, y, x] for y, x in pixels if label[image, y, x] == region]
        half = len(members) // 2
        means += [torch.stack(members[:half]).mean(0), torch.stack(members[half:]).mean(0)]
    f1, f2, g1, g2 = means

    def phi(a: Tensor, b: Tensor) -> Tensor:
        return 2 / (1 + (a - b).abs().sum().exp())

    return -(phi(f1, f2).log() + phi(g1, g2).log()) / 2 - ((1 - phi(f1, g1)).log() + (1 - phi(f2, g2)).log()) / 2


def two_sides(batch: int = 1, height: int = 24, width: int = 24) -> Tensor:
    """Left and right half of every image, with a slanted border."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (x > width // 2 + y // 4 - 3).long().expand(batch, -1, -1).contiguous()


def embedding(batch: int = 1, height: int = 24, width: int = 24) -> Tensor:
    return torch.randn(batch, 4, height, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_public_value_and_gradient(vectors: dict[str, Any]) -> None:
    features = torch.from_numpy(vectors["bpl.embedding"]).requires_grad_()
    label = torch.from_numpy(vectors["loss.label"])[:, 0].long()
    corners = [(image, row, column) for image in (0, 1) for row, _, column, _ in vectors[f"bpl.patch_rowstart_h_colstart_w_{image}"]]
    value = boundary_loss(features, label, torch.tensor(corners), public=True)
    value.backward()
    assert value.item() == pytest.approx(vectors["bpl.value"].item(), rel=1e-5)
    expected = torch.from_numpy(vectors["bpl.grad_embedding"])
    torch.testing.assert_close(features.grad, expected, rtol=1e-5, atol=1e-6 * expected.abs().max().item())
    before, after = vectors["loss.ainet_total_sem_pos_before_stone"], vectors["loss.ainet_total_sem_pos_after_stone"]
    assert LOSS_SCALE * BOUNDARY_WEIGHT * value.item() == pytest.approx(after[0] - before[0], rel=2e-3)  # a small difference of float32


def test_paper_form_equals_the_literal_one() -> None:
    features, label = embedding(2), two_sides(2)
    corners = [(0, 0, 7), (0, 9, 10), (1, 3, 8), (1, 18, 12)]
    expected = torch.stack([literal_loss(features, label, corner) for corner in corners]).mean()
    torch.testing.assert_close(boundary_loss(features, label, torch.tensor(corners)), expected, rtol=1e-6, atol=0)


def test_unusable_patches_count_for_nothing() -> None:
    features, label = embedding(), two_sides()
    label[0, 20:, :] = 2
    label[0, 0, 0] = 3
    good = torch.tensor([[0, 5, 9]])
    one_region, three_regions, single_pixel, absent = [0, 5, 0], [0, 18, 13], [0, 0, 0], [-1, -1, -1]
    for bad in (one_region, three_regions, single_pixel, absent):
        mixed = torch.cat((good, torch.tensor([bad])))
        torch.testing.assert_close(boundary_loss(features, label, mixed), boundary_loss(features, label, good), rtol=0, atol=0)
    single = torch.tensor([single_pixel])
    assert boundary_loss(features, label, single) == 0
    assert boundary_loss(features, label, single, public=True) > 0


def test_no_patch_gives_zero_loss_and_gradient() -> None:
    features = embedding().requires_grad_()
    loss = boundary_loss(features, torch.zeros(1, 24, 24, dtype=torch.long), torch.tensor([[0, 5, 5]]))
    loss.backward()
    assert loss == 0
    assert features.grad is not None and not features.grad.any()


def test_gradient_and_far_features() -> None:
    label, corners = two_sides(), torch.tensor([[0, 5, 9], [0, 12, 10]])
    features = embedding().requires_grad_()
    assert_gradient(lambda x: boundary_loss(x, label, corners), features)
    far = (1000 * embedding().float()).requires_grad_()
    boundary_loss(far, label, corners).backward()
    assert far.grad is not None and far.grad.isfinite().all()


def test_patches_are_centred_on_inner_boundaries() -> None:
    label = torch.zeros(2, 48, 64, dtype=torch.long)
    label[0, :, 32:] = 1
    label[1, 20:26, 30:40] = 1
    corners = sample_patches(label, torch.Generator().manual_seed(1))
    corners = corners[corners[:, 0] >= 0]
    assert len(corners.unique(dim=0)) == len(corners)
    counts = []
    for image, row, column in corners.tolist():
        y, x = row + PATCH // 2, column + PATCH // 2
        assert PATCH <= y < 48 - PATCH and PATCH <= x < 64 - PATCH
        around = label[image, [y - 1, y + 1, y, y], [x, x, x - 1, x + 1]]
        assert (around != label[image, y, x]).any()
        counts.append(image)
    straight = 2 * 48  # both sides of the border
    ring = (2 * (6 + 10) - 4) + 2 * (6 + 10)  # inner and outer side of the rectangle
    assert counts.count(0) == straight // PATCH
    assert counts.count(1) == ring // PATCH


def test_patches_follow_the_generator_and_the_limit() -> None:
    label = torch.arange(64 * 64).view(1, 64, 64)  # every pixel is a boundary
    first, again, other = (sample_patches(label, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == (MOST_PATCHES, 3) and (first >= 0).all()
    assert torch.equal(first, again) and not torch.equal(first, other)
