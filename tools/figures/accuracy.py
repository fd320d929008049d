"""Accuracy of the networks and of other methods, and what it comes from."""

from pathlib import Path
from typing import Any

import onnx

from ainet.models import DEFAULT
from figures.results import ROOT, load, table


def accuracy(results: dict[str, dict[str, Any]]) -> str:
    rows = []
    for method, result in results.items():
        (at_600,) = (scale for scale in result["scales"] if scale["n_segments"] == 600)
        values = [f"{at_600[key]:.0f}" if key == "sp" else f"{at_600[key]:.4f}" for key in ("sp", "asa", "rec", "pre", "ue_np", "co")]
        figures = (result["figures"]["auc"]["asa"], result["figures"]["br_bp"]["mean"])
        rows.append([f"`{method}`", *values, *("-" if figure is None else f"{figure:.4f}" for figure in figures)])
    data, (low, high) = results["ainet"]["data"], results["ainet"]["figures"]["br_bp"]["range"]
    note = (
        f"BSDS500 {data['split']}, {data['images']} images, all annotations. First columns: 600 superpixels asked for. "
        f"Last: mean of ASA over 384 to 1,200 actual superpixels, and of BP over BR from {low:g} to {high:g}, along the curves."
    )
    head = ["method", "superpixels", "ASA", "BR", "BP", "UE (Neubert)", "CO", "ASA, mean", "BP over BR"]
    return table(head, rows) + "\n\n" + note


def scales(results: dict[str, dict[str, Any]]) -> str:
    rows = []
    for own, peer in zip(results["ainet"]["scales"], results["scn"]["scales"], strict=True):
        cells = [f"{own['n_segments']:,}"]
        for values in (own, peer):
            cells += [f"{values['sp']:.0f}", *(f"{values[key]:.4f}" for key in ("asa", "rec", "pre"))]
        rows.append(cells)
    head = ["asked for", *(f"{column}, {name}" for name in ("AINet", "SCN") for column in ("superpixels", "ASA", "BR", "BP"))]
    return table(head, rows)


def even_shapes(result: dict[str, Any]) -> str:
    """A row per count, of the plain grid and merged: each metric without `compact=True` and with it."""
    names = {"fast": "plain grid", "best": "merged to"}
    found = {(row["quality"], row["n_segments"], row["compact"]): row for row in result["rows"]}
    rows = []
    for quality, count in dict.fromkeys((quality, count) for quality, count, _ in found):
        before, after = found[quality, count, False], found[quality, count, True]
        cells = [f"{before[key]:.4f} → {after[key]:.4f}" for key in ("asa", "rec", "pre", "co")]
        rows.append([f"{names[quality]} {count:,}", *cells])
    note = f"BSDS500 {result['split']}, {result['images']} images, all annotations, in float32."
    return table(["superpixels", "ASA", "BR", "BP", "CO"], rows) + "\n\n" + note


def conventions(results: dict[str, dict[str, Any]]) -> str:
    """The bundled networks at 600 superpixels, by each convention of averaging."""
    rows = []
    for method in ("ainet", "scn"):
        for average, by_truths in results[method]["conventions"].items():
            for truths, values in by_truths.items():
                rows.append([f"`{method}`", f"`{average}/{truths}`", *(f"{values[key]:.4f}" for key in ("asa", "rec", "pre", "co"))])
    return table(["network", "variant", "ASA", "BR", "BP", "CO"], rows)


def models(results: dict[str, dict[str, Any]]) -> str:
    """The bundled models on a CPU: size, latency, accuracy and terms; SLIC, which has no weights, for comparison."""
    times = load("speed_table")
    changes = {"ainet": load("int8")["accuracy"], "ainet-lite": load("int8_lite")["accuracy"], "scn": load("int8_scn")["accuracy"]}
    at_600 = {row["method"]: row for row in times["rows"] if (row["width"], row["threads"]) == (481, 1)}
    rows = []
    for method, in_int8, timed, engine, terms in (
        ("ainet-lite", True, "ainet-lite@openvino", "OpenVINO", "non-commercial research"),
        ("ainet", True, "ainet@openvino", "OpenVINO", "non-commercial research"),
        ("ainet", False, "ainet@openvino+fp32", "OpenVINO", "non-commercial research"),
        ("scn", True, "scn@openvino", "OpenVINO", "non-commercial research"),
        ("slic", False, "slic-cv", "OpenCV", "no weights"),
    ):
        (scores,) = (row for row in results[method]["scales"] if row["n_segments"] == 600)
        asa, recall = scores["asa"], scores["rec"]
        if in_int8:
            (change,) = (row["change"] for row in changes[method] if (row["quality"], row["n_segments"]) == ("fast", 600))
            asa, recall = asa + change["asa"], recall + change["br"]
        milliseconds = 1e3 * at_600[timed]["seconds"]["median"]
        size = size_of_model(ROOT / "ainet/weights" / (f"{method}-int8.onnx" if in_int8 else f"{method}.onnx"))
        name = f"`{method}`{', the default' * (method == DEFAULT)}{', INT8' * in_int8}"
        rows.append([name, size, f"{milliseconds:.0f} ms, {engine}", f"{asa:.4f}", f"{recall:.4f}", terms])
    data = results["ainet"]["data"]
    note = (
        f"ASA and boundary recall (BR) on BSDS500 {data['split']}, {data['images']} images, 600 superpixels. Latency: median from a photo "
        f"of 481x321 to 600 superpixels, 1 thread of an {times['machine']['processor']}; INT8 needs AVX-512 VNNI or "
        'AMX, without which the model runs in float32. All by the plain grid (`quality="fast"`). The accuracy of SLIC is scikit-image\'s.'
    )
    return table(["model", "size", "latency on a CPU", "ASA", "BR", "licence of the weights"], rows) + "\n\n" + note


def ablation(result: dict[str, Any]) -> str:
    """A row per variant: means over the scales that ask for 384 to 1,200 superpixels."""
    from ainet.benchmarks.report.results import about_recipe

    rows = [[name, *(f"{of['scales'][key]:.4f}" for key in ("asa", "rec", "pre", "co"))] for name, of in result["figures"].items()]
    (low, high), data = result["figures"]["baseline"]["range"], result["data"]
    note = f"BSDS500 {data['split']}, {data['images']} images, means of the scales that ask for {low:,} to {high:,} superpixels. "
    return table(["variant", "ASA", "BR", "BP", "CO"], rows) + "\n\n" + note + about_recipe(result["recipe"])


def parity(result: dict[str, Any]) -> str:
    metrics = {"asa": "ΔASA", "br": "ΔBR", "bp": "ΔBP", "co": "ΔCO"}
    rows = [
        [row["precision"], row["device"], f"{row['argmax']:.3%}", "-" if row["q"] is None else f"{row['q']:.1g}", str(row["nan"])]
        + [f"{row['differences'][name]:+.5f}" for name in metrics]
        + ["failed" if row["failures"] else "passed"]
        for row in result["rows"]
    ]
    for precision, bounds in result["bounds"].items():
        q = "-" if bounds["q"] is None else f"≤ {bounds['q']:g}"
        limits = [f"≥ {bounds['argmax']:.2%}", q, "0", *(f"± {bounds[name]:g}" for name in metrics)]
        rows.append([f"*{precision}*", "*bounds*", *limits, ""])
    note = f"{result['bsds_images']} images of BSDS500 val, {result['superpixels']} superpixels; `{result['network']}`, bundled weights."
    return table(["precision", "device", "same cell", "largest error of Q", "NaN", *metrics.values(), ""], rows) + "\n\n" + note


def size_of_model(path: Path) -> str:
    """Of an ONNX file with the file that it takes its weights from; a dash where there is none."""
    if not path.is_file():
        return "-"
    weights = onnx.load(path, load_external_data=False).graph.initializer
    files = {path} | {path.parent / entry.value for tensor in weights for entry in tensor.external_data if entry.key == "location"}
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB"
