"""Draw docs/accuracy.svg, ASA over the number of superpixels, from benchmarks/results/accuracy_*.json.

`tools/readme_figures.py --check` fails where the plot is of other results than those that lie there.
"""

from readme_figures import PLOT, accuracy_results, stamp

from ainet.benchmarks.report.plots import draw_all
from ainet.benchmarks.report.results import load_results


def main() -> None:
    paths = accuracy_results()
    plot = draw_all(load_results(paths))[0]
    PLOT.write_text(plot.picture("svg").decode() + stamp())
    print(f"{PLOT}: {plot.caption}, {len(paths)} methods")


if __name__ == "__main__":
    main()
