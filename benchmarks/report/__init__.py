"""One HTML page of all results, self-contained: plots, tables, pictures, and the JSON behind every number.

write_report([Path("runs/val"), Path("benchmarks/results/latency_cpu.json")], Path("report.html"), Path("BSDS500/data"))
"""

from collections.abc import Sequence
from pathlib import Path

from ainet.benchmarks.report.page import build_page
from ainet.benchmarks.report.plots import draw_all
from ainet.benchmarks.report.results import load_results
from ainet.benchmarks.report.strips import load_proposals, load_strips
from ainet.files import atomic_path


def write_report(sources: Sequence[Path], out: Path, data: Path | None = None, plots: Path | None = None) -> list[Path]:
    """Write the page `out`, and the plots for a paper into the folder `plots`; returns the files written.

    Args:
        sources: result files, or folders of runs, of `ainet bench`.
        data: folder of the data set, for strips of example images; their label maps come from the folders of runs.

    Raises:
        UsageError: a source is missing or no result, results are of different protocols or data, or twice of one method.
        ImageError: an example image is damaged.
        OutputError: a file cannot be written.
    """
    results = load_results(sources)
    drawn = draw_all(results)
    strips = load_strips(results, data) if data and (results.accuracy or not results.proposals) else []
    proposals = load_proposals(results, data) if data else []
    with atomic_path(out) as temporary:
        temporary.write_text(build_page(results, drawn, strips, proposals))
    paper = [path for plot in drawn for path in plot.for_paper(plots)] if plots else []
    return [out, *paper]
