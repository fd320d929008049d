"""How accuracy grows with training."""

from typing import Any

from figures.results import table


def learning(result: dict[str, Any]) -> str:
    """A row for each checkpoint of each run."""
    metrics = {"asa": "ASA", "br": "BR", "bp": "BP", "co": "CO"}
    rows = [
        [run["name"], f"{point['crops']:,}", *(f"{point[key]:.4f}" for key in metrics), f"{point['loss']:.2f}"]
        for run in result["runs"]
        for point in run["points"]
    ]
    note = (
        f"BSDS500 {result['split']}, {result['images']} images, `n_segments={result['n_segments']}` by the plain grid in PyTorch; the last "
        "column is the training loss on these images. No crops: the weights that a run started from."
    )
    return table(["run", "crops", *metrics.values(), "loss"], rows) + "\n\n" + note


def plot(result: dict[str, Any]) -> Any:
    """ASA over the crops that a run has seen."""
    from ainet.benchmarks.report.plots import Curve, draw

    curves = []
    for run in result["runs"]:
        thousands = [point["crops"] / 1000 for point in run["points"]]
        curves.append(Curve(run["name"], thousands, [point["asa"] for point in run["points"]], [""] * len(thousands)))
    return draw("learning", "ASA over the crops seen", curves, "thousands of crops seen in the run", f"ASA at {result['n_segments']}")
