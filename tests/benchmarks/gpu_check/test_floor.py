import pytest

from ainet.benchmarks.gpu_check.cases import CASES, FULL_HD, SMALL, engine_sizes, images_at_once, plan_of
from ainet.benchmarks.gpu_check.floor import RATES, floors, least_work
from ainet.benchmarks.gpu_check.stages import STAGES
from ainet.benchmarks.speed.network_cost import elements, multiply_adds
from ainet.export.profiles import parse_profiles
from ainet.runtime.cuda.pipeline import BATCH_PIXELS
from ainet.segmenter import bundled

IMAGE, WORKING = 321 * 481, 320 * 480


@pytest.mark.parametrize("network", ["ainet", "scn"])
def test_work_of_one_photo(network):
    work = least_work(network, SMALL, 1)
    assert list(work) == list(STAGES)
    moved, weights = elements(bundled(f"{network}.onnx"), 320, 480)
    assert {stage: own["bytes"] for stage, own in work.items()} == {
        "upload": 3 * IMAGE,
        "resize": 3 * IMAGE + 12 * WORKING,
        "network": 2 * (moved + weights),
        "arg-max": 36 * WORKING + 4 * IMAGE,
        "connectivity": 8 * IMAGE,
        "download": 4 * IMAGE,
    }
    assert work["network"]["operations"] == 2 * multiply_adds(bundled(f"{network}.onnx"), 320, 480)
    assert sum(own["operations"] for own in work.values()) == work["network"]["operations"]


def test_weights_are_read_once_for_each_pass_of_a_batch():
    moved, weights = elements(bundled("scn.onnx"), 1088, 1904)
    assert images_at_once(FULL_HD, 8) == BATCH_PIXELS // (1088 * 1904) == 4
    assert least_work("scn", FULL_HD, 8)["network"]["bytes"] == 2 * (8 * moved + 2 * weights)


def test_a_floor_is_the_longer_of_two_times_over_the_right_rate():
    work = {
        "upload": {"bytes": 50, "operations": 0},
        "resize": {"bytes": 4000, "operations": 0},
        "network": {"bytes": 4000, "operations": 900_000},
        "download": {"bytes": 50, "operations": 0},
    }
    rates = {"device_memory": 1000.0, "fp16_matrix": 100_000.0, "host_to_device": 10.0, "device_to_host": 5.0}
    assert set(rates) == set(RATES)
    assert floors(work, rates) == {"upload": 5000.0, "resize": 4000.0, "network": 9000.0, "download": 10_000.0}
    work["network"]["operations"] = 0
    assert floors(work, rates)["network"] == 4000.0


def test_every_pass_of_every_case_fits_a_profile():
    profiles = parse_profiles(engine_sizes())
    for case, batch in CASES:
        plan, most = plan_of(case), images_at_once(case, batch)
        for images in {1, most, batch % most or most}:
            assert any(profile.holds((images, plan.working_height, plan.working_width)) for profile in profiles), (case, images)
    assert {(case.height, case.width) for case, _ in CASES} == {(321, 481), (480, 640), (1080, 1920)}
    assert {batch for _, batch in CASES} == {1, 8, 32}
    assert len(set(CASES)) == 9
