"""Image plans: every size and count that is promised, and the sizes of the public protocol."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ainet.errors import ImageError, UsageError
from ainet.runtime.plan import Plan, plan_image, plan_public, plan_scale, plan_segments

SIZES = [(16, 16), (16, 1000), (1000, 16), (17, 31), (321, 481), (481, 321), (448, 608), (1080, 1920), (4320, 7680)]
BSDS_SCALES = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8]
NYU_SCALES = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]


def check(plan: Plan, height: int, width: int, count: int) -> None:
    assert (plan.height, plan.width) == (height, width)
    assert plan.working_height % 16 == plan.working_width % 16 == 0
    assert min(plan.working_height, plan.working_width) >= 16
    assert plan.cells == plan.working_height * plan.working_width // 256
    assert abs(plan.cells - count) <= (math.sqrt(count) + 1) / 2
    segment = height * width / plan.cells
    assert (plan.min_size, plan.max_size) == (int(0.06 * segment), int(3 * segment))
    assert not plan.public


@pytest.mark.parametrize("size", SIZES)
def test_every_count_up_to_a_quarter_of_the_pixels(size: tuple[int, int]) -> None:
    height, width = size
    most = height * width // 4
    for count in {*range(4, min(most, 2000) + 1), most // 10, most // 3, most - 1, most} - set(range(4)):
        check(plan_segments(height, width, count), height, width, count)


@settings(max_examples=300, deadline=None)
@given(height=st.integers(16, 8192), width=st.integers(16, 8192), share=st.floats(0, 1))
def test_any_size_and_count(height: int, width: int, share: float) -> None:
    most = min(height * width // 4, 2**23 - 2**13)  # beyond, the working image may reach its limit, which has a test of its own
    count = round(4 * (most / 4) ** share)
    plan = plan_segments(height, width, count)
    check(plan, height, width, count)
    turned = plan_segments(width, height, count)
    if height != width:
        assert (turned.working_height, turned.working_width) == (plan.working_width, plan.working_height)


def test_cells_are_nearly_square() -> None:
    for height, width in ((321, 481), (1080, 1920), (300, 1600)):
        for count in (100, 600, 5000):
            plan = plan_segments(height, width, count)
            cell_height, cell_width = height * 16 / plan.working_height, width * 16 / plan.working_width
            assert 0.8 < cell_height / cell_width < 1.25


def test_usual_sizes() -> None:
    plan = plan_segments(321, 481, np.int64(600))
    assert (plan.working_height, plan.working_width, plan.cells, plan.min_size, plan.max_size) == (320, 480, 600, 15, 772)
    assert str(plan) == "321x481 image, 600 cells at working size 320x480"
    plan = plan_segments(16, 1000, 4)
    assert (plan.working_height, plan.working_width) == (16, 64)


@pytest.mark.parametrize("count", [0, -1, 3, 38_601, 10**9])
def test_counts_out_of_range(count: int) -> None:
    with pytest.raises(UsageError, match=rf"n_segments={count} .* 4 to 38600"):
        plan_segments(321, 481, count)


@pytest.mark.parametrize("count", [600.0, "600", None, math.nan])
def test_counts_that_are_no_integer(count: object) -> None:
    with pytest.raises(UsageError, match="n_segments"):
        plan_segments(321, 481, count)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 16), (16, 15), (0, 500)])
def test_small_images(height: int, width: int) -> None:
    for plan in (lambda: plan_segments(height, width, 4), lambda: plan_scale(height, width, 4.0)):
        with pytest.raises(ImageError, match=f"{height}x{width} is too small"):
            plan()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [0.31, 1, np.float32(1.5), 2.5])
def test_scale_rounds_each_side_up_to_a_multiple_of_16(size: tuple[int, int], scale: float) -> None:
    if math.prod(math.ceil(side * float(scale) / 16) for side in size) < 4:
        with pytest.raises(UsageError, match="scale="):
            plan_scale(*size, scale)
        return
    plan = plan_scale(*size, scale)
    for side, working in zip(size, (plan.working_height, plan.working_width), strict=True):
        assert working % 16 == 0
        assert working - 16 < side * float(scale) <= working
    segment = size[0] * size[1] / plan.cells
    assert (plan.min_size, plan.max_size) == (int(0.06 * segment), int(3 * segment))


@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf, "1", None])
def test_scales_that_are_no_positive_number(scale: object) -> None:
    for plan in (plan_scale, plan_public):
        with pytest.raises(UsageError, match="scale"):
            plan(321, 481, scale)


def test_scales_that_give_too_few_or_too_many_superpixels() -> None:
    with pytest.raises(UsageError, match=r"scale=0\.01 gives 1 .* 4 to 38600"):
        plan_scale(321, 481, 0.01)
    with pytest.raises(UsageError, match=r"scale=9 gives 49051 superpixels .* 4 to 38600"):
        plan_scale(321, 481, 9)


# Working sizes and counts written out, so that they rest on no arithmetic: (320 s, 480 s) and int(600 s s).
BSDS_TABLE = {
    0.3: (96, 144, 54), 0.4: (128, 192, 96), 0.5: (160, 240, 150), 0.6: (192, 288, 216), 0.7: (224, 336, 294),
    0.8: (256, 384, 384), 0.9: (288, 432, 486), 1.0: (320, 480, 600), 1.1: (352, 528, 726), 1.2: (384, 576, 864),
    1.3: (416, 624, 1014), 1.4: (448, 672, 1176), 1.5: (480, 720, 1350), 1.6: (512, 768, 1536), 1.8: (576, 864, 1944),
}  # fmt: skip


@pytest.mark.parametrize("scale", [1001, 1e154, 1e300, 1e308, np.finfo(float).max])
def test_scales_that_no_number_of_cells_can_express(scale: float) -> None:
    for plan in (plan_scale, plan_public):
        with pytest.raises(UsageError, match="scale=") as refused:
            plan(321, 481, scale)
        assert len(str(refused.value)) < 200
    with pytest.raises(UsageError, match="gives 1 superpixels"):
        plan_scale(321, 481, 1 / scale)


@pytest.mark.parametrize("scale", BSDS_SCALES)
def test_public_protocol_on_bsds(scale: float) -> None:
    height, width, count = BSDS_TABLE[scale]
    assert count == int(600 * scale * scale)
    segment = 321 * 481 / count
    sizes = (int(0.06 * segment), int(3 * segment))
    assert plan_public(321, 481, scale) == Plan(321, 481, height, width, *sizes, public=True)
    assert plan_public(481, 321, scale) == Plan(481, 321, width, height, *sizes, public=True)


@pytest.mark.parametrize("scale", NYU_SCALES)
def test_public_protocol_on_nyu(scale: float) -> None:
    plan = plan_public(448, 608, scale)
    tenths = round(10 * scale)
    assert (plan.working_height, plan.working_width) == (48 * tenths, 64 * tenths)
    segment = 448 * 608 / int(1200 * scale * scale)
    assert (plan.min_size, plan.max_size) == (int(0.06 * segment), int(3 * segment))


def test_size_bounds_equal_those_of_the_public_code(vectors) -> None:
    reference = vectors("connectivity_vectors")
    names = [key.removesuffix(".min_max") for key in reference if key.startswith("img") and key.endswith(".min_max")]
    names = [name for name in names if not name.endswith("tightmax")]
    assert len(names) == 7
    for name in names:
        height, width = reference[f"{name}.labels"].shape[-2:]
        plan = plan_public(height, width, float(name.rpartition("_x")[2].replace("p", ".")))
        assert [plan.min_size, plan.max_size] == reference[f"{name}.min_max"].tolist(), name


@pytest.mark.parametrize("size", [(320, 480), (500, 375), (480, 640)])
def test_public_protocol_is_defined_for_its_data_sets_alone(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="321x481, 481x321, 448x608, not "):
        plan_public(*size, 1.0)


@pytest.mark.parametrize("scale", [0.01, 0.05, 0.25, 0.333, 1.01, 2.1, 10])
def test_public_protocol_refuses_scales_between_grids(scale: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        plan_public(321, 481, scale)


def test_working_image_has_an_upper_limit() -> None:
    assert plan_segments(8192, 8192, 2**22).cells == 2**22
    with pytest.raises(UsageError, match="65536x65536"):
        plan_segments(8192, 8192, 2**24)


def test_what_becomes_of_the_association() -> None:
    assert plan_segments(321, 481, 600).smoothing == 1
    assert plan_image(321, 481, 600, compact=True).smoothing == 4
    assert plan_image(321, 481, scale=1, compact=True).smoothing == 4
    assert plan_public(321, 481, 1.0).smoothing == 0
    with pytest.raises(UsageError, match="compact"):
        plan_image(321, 481, protocol="public", compact=True)
    with pytest.raises(UsageError, match="compact must be True or False"):
        plan_image(321, 481, 600, compact=0.5)  # type: ignore[arg-type]
