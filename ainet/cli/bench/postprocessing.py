"""`ainet bench postprocessing`."""

from ainet.cli.bench.options import RepeatsOption, ResultOption, finish, needs_packages


def postprocessing(out: ResultOption, repeats: RepeatsOption = 200) -> None:
    """Time of the native steps around the network on one core, and the ratio of scikit-image's connectivity to ours."""
    with needs_packages():
        from ainet.benchmarks.speed.postprocessing import postprocessing as run

    result = run(repeats)
    times = [{"task": name, "median_ms": ms} for name, ms in result["median_ms"].items()]
    finish(out, "postprocessing", result, times, [{"connectivity, scikit-image / ours": result["ratio"]}])
