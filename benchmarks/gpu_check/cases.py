"""What latency and floor are looked at for: sizes and batches, the most telling ones first."""

from ainet.benchmarks.speed.cases import COUNTS_SIZE, SIZES, Case, case_of_size
from ainet.runtime.cuda.pipeline import BATCH_PIXELS, share_of
from ainet.runtime.plan import Plan, plan_segments

SMALL, VGA, FULL_HD = Case(*COUNTS_SIZE, 600), case_of_size(*SIZES["vga"]), case_of_size(*SIZES["1080p"])
CASES = (
    *((SMALL, 1), (SMALL, 32), (VGA, 1), (FULL_HD, 1)),
    *((SMALL, 8), (VGA, 32), (VGA, 8), (FULL_HD, 8), (FULL_HD, 32)),
)  # case, batch
ANY_SIZE = "16x16..640x640"  # for the photos of the parity


def plan_of(case: Case) -> Plan:
    return plan_segments(case.height, case.width, case.n_segments)


def images_at_once(case: Case, batch: int) -> int:
    """How many images of a batch the runtime gives a network at once."""
    plan = plan_of(case)
    return min(share_of(batch), max(1, BATCH_PIXELS // (plan.working_height * plan.working_width)))


def engine_sizes() -> list[str]:
    """Profiles of an engine for all cases: each working size alone, and in batches, whose last one may be smaller."""
    sizes = []
    for case in dict.fromkeys(case for case, _ in CASES):
        plan, most = plan_of(case), max(images_at_once(case, batch) for other, batch in CASES if other == case)
        size = f"{plan.working_height}x{plan.working_width}"
        sizes += [size, f"1x{size}..{most}x{size}"]
    return [*sizes, ANY_SIZE]
