"""`ainet bench postprocessing`."""

from ainet.cli.bench.options import RepeatsOption, ResultOption, needs_packages
from ainet.cli.console import print_line, print_rows


def postprocessing(out: ResultOption, repeats: RepeatsOption = 200) -> None:
    """Time of the native steps after the network on one core, and the ratio of scikit-image's connectivity to ours."""
    with needs_packages():
        from ainet.benchmarks.result import write_result
        from ainet.benchmarks.speed.postprocessing import postprocessing as run

    result = write_result(out, "postprocessing", run(repeats))
    print_rows([("task", "median ms"), *((name, f"{ms:.3f}") for name, ms in result["median_ms"].items())])
    if result["ratio"] is not None:
        print_line(f"connectivity: {result['ratio']:.1f} times faster than scikit-image's")
    print_line(str(out))
