"""Exact counts, merging and proposals."""

from typing import Any

from figures.results import table

WAYS = {"direct": "as they are", "plain": "plain merge", "image": "learned, of the image alone", "network": "learned", "del": "DEL's cost"}
NAMES = {"ainet": "AINet", "ainet-lite": "AINet-lite", "scn": "SCN", "ssn": "SSN", "slic": "SLIC"}


def regions(result: dict[str, Any]) -> str:
    """A row per count: ASA of superpixels as they are, and of regions merged to the count."""
    asa = {(row["method"], row["cost"], row["count"]): row["all"]["asa"] for row in result["rows"]}
    columns = []
    for method in result["methods"]:
        costs = {cost for name, cost, _ in asa if name == method}
        columns += [(method, way) for way in ("direct", "plain", "network" if "network" in costs else "image")]
    counts = sorted({count for _, _, count in asa})
    rows = [[f"{count:,}", *(f"{asa[method, way, count]:.4f}" for method, way in columns)] for count in counts]
    head = ["regions", *(f"{NAMES[method]}, {WAYS[way].partition(',')[0]}" for method, way in columns)]
    note = f"ASA on BSDS500 {result['split']}, {result['images']} images, all annotations."
    return table(head, rows) + "\n\n" + note


def region_boundaries(result: dict[str, Any]) -> str:
    """A row per count: BR, BP and CO of AINet's superpixels and regions."""
    found = {(row["cost"], row["count"]): row["all"] for row in result["rows"] if row["method"] == "ainet"}
    counts = sorted({count for _, count in found})
    ways = ("direct", "plain", "network")
    rows = []
    for count in counts:
        cells = [" / ".join(f"{found[way, count][metric]:.3f}" for metric in ("rec", "pre", "co")) for way in ways]
        rows.append([f"{count:,}", *cells])
    return table(["regions", *(f"AINet, {WAYS[way]}" for way in ways)], rows) + "\n\nBR / BP / CO, the same images."


def region_figures(results: dict[str, dict[str, Any]]) -> str:
    """A row per method and way: the figures along the curves, of all images, and of the even and the odd ones."""
    rows = []
    for name, result in results.items():
        note = ", second seed" if name == "regions_seed" else ""
        for entry in result["figures"]:
            if note and entry["cost"] != "network":
                continue
            figures = [entry[part][figure] for figure in ("asa", "br_bp") for part in ("all", "even", "odd")]
            cells = ["-" if figure is None else f"{figure:.4f}" for figure in figures]
            rows.append([NAMES[entry["method"]], WAYS[entry["cost"]] + note, *cells])
    head = ["superpixels", "merged", *(f"{title}{part}" for title in ("ASA", "BP over BR") for part in ("", ", even", ", odd"))]
    note = (
        "ASA: mean over 384 to 1,200 regions; BP over BR: mean of BP over BR from 0.7 to 0.85; both along the curves. Even and odd: the "
        "images by their place in the sorted list."
    )
    return table(head, rows) + "\n\n" + note


def page_starts(result: dict[str, Any]) -> str:
    """A row per network and number of superpixels: ASA of the regions merged from them by the learned cost."""
    asa = {(row["method"], row["start"], row["count"]): row["all"]["asa"] for row in result["rows"] if row["cost"] == "network"}
    counts = sorted({count for _, _, count in asa})
    rows = [
        [NAMES[method], f"{start:,}", *(f"{asa[method, start, count]:.4f}" for count in counts)]
        for method, start in dict.fromkeys((method, start) for method, start, _ in asa)
    ]
    note = f"ASA on every second image of BSDS500 {result['split']}, {result['images']} images, in Python."
    return table(["network", "superpixels", *(f"{count} regions" for count in counts)], rows) + "\n\n" + note


def proposals(result: dict[str, Any]) -> str:
    counts = sorted({row["regions"] for row in result["rows"]})
    asa = {(row["method"], row["cost"], row["regions"]): row["asa"] for row in result["rows"]}
    rows = [
        [NAMES[method], WAYS[cost], *(f"{asa[method, cost, count]:.4f}" for count in counts)]
        for method, cost in dict.fromkeys((row["method"], row["cost"]) for row in result["rows"])
    ]
    note = f"ASA on BSDS500 {result['split']}, {result['images']} images; regions merged from about {result['start']} superpixels."
    plot_of_it = f"![ASA of {counts[0]} to {counts[-1]} regions](proposals.svg)"
    return table(["superpixels", "merged", *(f"{count} regions" for count in counts)], rows) + f"\n\n{note}\n\n{plot_of_it}"
