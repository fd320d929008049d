"""Write the figures of README.md and docs/ from benchmarks/results/*.json, between the markers `<!-- NAME -->` and `<!-- end -->`.

python tools/docs_figures.py           # rewrite
python tools/docs_figures.py --check   # fail if a page differs from the results
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import latency_figures

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
PLOTS = {  # of docs/: which plot of a report it is, and of which results
    "accuracy.svg": ("fig4-asa", ("accuracy_*",)),
    "boundaries.svg": ("fig4-br-bp", ("accuracy_*",)),
    "regions.svg": ("regions-asa", ("accuracy_*", "regions")),
    "region-boundaries.svg": ("regions-br-bp", ("accuracy_*", "regions")),
    "proposals.svg": ("proposals0", ("proposals",)),
}


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def network_cost(result: dict[str, Any]) -> str:
    settings, engine = result["settings"], result["versions"]["onnxruntime"]
    rows = [
        [f"`{row['network']}`", f"{row['multiply_adds'] / 1e6:,.0f} M", f"{row['multiply_adds_ratio']:.2f}", f"{row['time_ratio']:.2f}"]
        for row in result["rows"]
    ]
    note = f"ONNX Runtime {engine}, {settings['threads']} CPU threads, {settings['size']} working pixels, one run for all."
    return table(["network", "multiply-adds", "/ SCN", "time / SCN"], rows) + "\n\n" + note


def postprocessing(result: dict[str, Any]) -> str:
    rows = [[task, f"{ms:.2f}", f"{result['ratio']:.1f}" if task == "connectivity" else ""] for task, ms in result["median_ms"].items()]
    note = "321x481 pixels, 600 superpixels, one core; the ratio is of scikit-image's connectivity to ours, in the same run."
    return table(["task", "median ms", "ratio"], rows) + "\n\n" + note


def accuracies() -> dict[str, dict[str, Any]]:
    """The accuracy results by method, our own first."""
    results = {}
    for path in sorted(RESULTS.glob("accuracy_*.json")):
        result = json.loads(path.read_text())
        results[result["method"]] = result
    return {name: results.pop(name) for name in ("ainet", "ainet-lite", "scn")} | results


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
    times = load("latency_table")
    changes = {"ainet": load("int8")["accuracy"], "ainet-lite": load("int8_lite")["accuracy"], "scn": load("int8_scn")["accuracy"]}
    at_600 = {row["method"]: row for row in times["rows"] if (row["width"], row["threads"]) == (481, 1)}
    rows = []
    for method, in_int8, timed, engine, terms in (
        ("ainet", True, "ainet@openvino", "OpenVINO", "non-commercial research"),
        ("ainet", False, "ainet@openvino+fp32", "OpenVINO", "non-commercial research"),
        ("ainet-lite", True, "ainet-lite@openvino", "OpenVINO", "non-commercial research"),
        ("scn", True, "scn@openvino", "OpenVINO", "non-commercial research"),
        ("slic", False, "slic-cv", "OpenCV", "no weights"),
    ):
        (scores,) = (row for row in results[method]["scales"] if row["n_segments"] == 600)
        asa, recall = scores["asa"], scores["rec"]
        if in_int8:
            (change,) = (row["change"] for row in changes[method] if (row["quality"], row["n_segments"]) == ("fast", 600))
            asa, recall = asa + change["asa"], recall + change["br"]
        milliseconds = 1e3 * at_600[timed]["seconds"]["median"]
        weights = ROOT / "ainet/weights" / (f"{method}-int8.onnx" if in_int8 else f"{method}.onnx")
        size = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.is_file() else "-"
        name = f"`{method}`, INT8" if in_int8 else f"`{method}`"
        rows.append([name, size, f"{milliseconds:.0f} ms, {engine}", f"{asa:.4f}", f"{recall:.4f}", terms])
    data = results["ainet"]["data"]
    note = (
        f"ASA and boundary recall (BR) on BSDS500 {data['split']}, {data['images']} images, 600 superpixels. Latency: median from a photo "
        f"of 481x321 to 600 superpixels, 1 thread of an {times['machine']['processor']}; INT8 needs AVX-512 VNNI or "
        'AMX, without which the model runs in float32. All by the plain grid (`quality="fast"`). The accuracy of SLIC is scikit-image\'s.'
    )
    return table(["model", "size (ONNX)", "latency on a CPU", "ASA", "BR", "licence of the weights"], rows) + "\n\n" + note


def latency(result: dict[str, Any]) -> str:
    """A row per method: time at 600 superpixels, its ratios, and how time and memory grow."""
    at_600 = {row["method"]: row for row in result["counts"] if row["n_segments"] == 600}
    memory = {row["method"]: row for row in result["memory"] if (row["width"], row["height"]) == (481, 321)}
    rows = []
    for method, row in sorted(at_600.items(), key=lambda item: item[1]["seconds"]["median"]):
        times = [f"{1e3 * row['seconds'][name]:,.0f}" for name in ("median", "p95")]
        ratios = [f"{row['ratio'][peer]:.2f}" if peer in row["ratio"] else "-" for peer in ("scn", "ssn")]
        growth = f"{result['growth'][method]['exponent']:.2f}" if method in result["growth"] else "-"
        name = f"`{method}`" if result["methods"][method]["trained"] else f"`{method}`, random weights"
        rows.append([name, *times, *ratios, growth, f"{memory[method]['peak_mib']:,.0f}"])
    settings, versions, machine = result["settings"], result["versions"], result["machine"]
    note = (
        f"ms for 600 superpixels of a 481x321 photo, {settings['threads']} CPU threads of an {machine['processor']}, all in one run; "
        f"ONNX Runtime {versions['onnxruntime']}, OpenVINO {versions['openvino']}, PyTorch {versions['torch'].partition('+')[0]}. "
        "Growth: p of time ~ pixels^p from 640x480 on, one superpixel for 256 pixels. "
        f"Memory: peak of the process at {memory['ainet']['n_segments']} superpixels, MiB."
    )
    head = ["method", "median", "p95", "/ SCN", "/ SSN", "growth", "memory"]
    return table(head, rows) + "\n\n" + note


def latency_table(result: dict[str, Any]) -> str:
    head, rows, note = latency_figures.latency_rows(result)
    return table(head, rows) + "\n\n" + note


def throughput(result: dict[str, Any]) -> str:
    head, rows, note = latency_figures.throughput_rows(result)
    return table(head, rows) + "\n\n" + note


def latency_large(result: dict[str, Any]) -> str:
    """A row per method: seconds for images of three sizes."""
    sizes = sorted({(row["width"], row["height"]) for row in result["sizes"]})
    seconds = {(row["method"], row["width"], row["height"]): row["seconds"]["median"] for row in result["sizes"]}
    rows = []
    for method in result["methods"]:
        times = [seconds.get((method, *size)) for size in sizes]
        rows.append([f"`{method}`", *("-" if time is None else f"{time:.2f}" for time in times)])
    counts = {row["width"]: row["n_segments"] for row in result["sizes"]}
    note = (
        f"Median seconds, {result['settings']['threads']} CPU threads of an {result['machine']['processor']}; "
        f"{', '.join(str(counts[width]) for width, _ in sizes)} superpixels asked for, one for 256 pixels."
    )
    return table(["method", *(f"{width}x{height}" for width, height in sizes)], rows) + "\n\n" + note


def startup(result: dict[str, Any]) -> str:
    seconds, machine = result["seconds"], result["machine"]
    return (
        f"`import ainet` takes {1e3 * seconds['import_ainet']:.0f} ms; `ainet segment` of one photo, from the shell and back, takes "
        f"{seconds['segment_photo']:.2f} s,\nand {seconds['segment_photo_without_cache']:.2f} s where no compiled network is in the cache "
        f"yet (OpenVINO on an {machine['processor']}, median of {result['settings']['repeats']})."
    )


def ablation(result: dict[str, Any]) -> str:
    """A row per variant: means over the scales that ask for 384 to 1,200 superpixels."""
    from ainet.benchmarks.report.results import about_recipe

    rows = [[name, *(f"{of['scales'][key]:.4f}" for key in ("asa", "rec", "pre", "co"))] for name, of in result["figures"].items()]
    (low, high), data = result["figures"]["baseline"]["range"], result["data"]
    note = f"BSDS500 {data['split']}, {data['images']} images, means of the scales that ask for {low:,} to {high:,} superpixels. "
    return table(["variant", "ASA", "BR", "BP", "CO"], rows) + "\n\n" + note + about_recipe(result["recipe"])


def training_speed(result: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in result["parts_seconds"].items())
    recipe, settings = result["recipe"], result["settings"]
    return (
        f"On {settings['threads']} CPU threads a step of `{settings['network']}` at batch {recipe['batch_size']} takes "
        f"{result['seconds_per_step']:.2f} s ({parts}; each measured alone)."
    )


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


def int8_accuracy(result: dict[str, Any]) -> str:
    qualities = {"fast": "plain grid", "best": "exact"}
    rows = []
    for row in result["accuracy"]:
        worst = row["worst"]["asa"]
        values = [f"{row['fp32'][key]:.4f}" for key in ("asa", "br")] + [f"{row['change'][key]:+.5f}" for key in ("asa", "br", "bp")]
        rows.append([f"{row['n_segments']:,}", qualities[row["quality"]], *values, f"{worst['change']:+.4f} ({worst['image']})"])
    note = (
        f"{result['images']} images; changes against fp32, and the image that loses most. The best cell is the same for "
        f"{result['equal']:.1%} of the pixels. No layer is left in float."
    )
    return table(["superpixels", "count", "ASA, fp32", "BR, fp32", "ASA", "BR", "BP", "ASA of one image"], rows) + "\n\n" + note


def int8_others(scn: dict[str, Any]) -> str:
    """The changes of the other two networks, exact counts."""
    lite = load("int8_lite")
    rows = []
    for one, other in zip(lite["accuracy"], scn["accuracy"], strict=True):
        if one["quality"] == "best":
            changes = [f"{row['change'][key]:+.5f}" for row in (one, other) for key in ("asa", "br")]
            rows.append([f"{one['n_segments']:,}", *changes])
    note = f"Exact counts; AINet-lite on {lite['images']} images, SCN on {scn['images']}; changes against fp32."
    return table(["superpixels", "ASA, AINet-lite", "BR, AINet-lite", "ASA, SCN", "BR, SCN"], rows) + "\n\n" + note


def int8_speed(result: dict[str, Any]) -> str:
    rows = [[name, f"{figures['median_ms']:.0f}", f"{figures['ratio']:.2f}"] for name, figures in result["speed"].items()]
    engines = f"ONNX Runtime {result['versions']['onnxruntime']}, OpenVINO {result['versions']['openvino']}"
    note = (
        f"The network alone, ms: {engines}, {result['threads']} threads of an {result['machine']['processor']}, 320x480, one run for all."
    )
    return table(["engine", "median", "speed / ONNX Runtime fp32"], rows) + "\n\n" + note


def int8_sensitivity(result: dict[str, Any]) -> str:
    cost, sensitivity = result["multiply_adds"], result["sensitivity"]
    rows = [
        [f"`{name}`", f"{cost[name] / 1e6:,.0f} M", f"{of['disagreement']:.2%}", f"{-of['asa_drop']:+.5f}", f"{-of['br_drop']:+.5f}"]
        for name, of in sensitivity["alone"].items()
    ]
    return table(["layer alone in int8", "multiply-adds", "other best cell", "ASA", "BR"], rows)


def page(result: dict[str, Any]) -> str:
    """A row per model of the page in the browser: what is loaded, and how long it takes."""
    times = {(row["model"], row["threads"]): row for row in result["rows"]}
    rows = []
    for model, size in result["compressed_bytes"].items():
        cells = [f"`{model}`", f"{size['CPU'] / 1e6:.1f} MB", f"{size['GPU'] / 1e6:.1f} MB"]
        for part in ("first", "photo"):
            cells += [f"{times[model, threads][part]:.2f} s" for threads in (True, False)]
        rows.append([*cells, f"{1e3 * times[model, True]['cut']:.0f} ms"])
    heads = [f"{part}, {threads}" for part in ("first result", "a photo") for threads in ("threads", "one thread")]
    note = f"Medians of {result['rounds']} visits to each, in turns; {machine_note(result)}."
    return table(["model", "loaded, CPU", "loaded, GPU", *heads, "another count"], rows) + "\n\n" + note


def serving(result: dict[str, Any]) -> str:
    """A row per number of callers of `ainet serve`."""
    rows = []
    for row in result["rows"]:
        waits = [f"{row[key]:,.0f} ms" for key in ("median_ms", "p99_ms")]
        rows.append([str(row["callers"]), *waits, f"{row['right_per_second']:.1f}", str(row["refused"]), str(row["wrong"])])
    note = (
        f"Photos of {result['width']}x{result['height']} over gRPC on one machine, callers included; {result['requests']} requests a row, "
        f"`--device {result['served']['device']} --queue 256`; {machine_note(result)}."
    )
    return table(["callers", "median", "p99", "a second", "refused", "wrong"], rows) + "\n\n" + note


def machine_note(result: dict[str, Any]) -> str:
    """Which machine, and what else it had to do: a load of no more than its cores is none."""
    machine = result["machine"]
    return f"{machine['cores']} cores of an {machine['processor']}, load {result['load']:.0f} meanwhile"


def damaged_files(result: dict[str, Any]) -> str:
    bad = ["foreign exception", "crash", "hang", "memory", "half-written file"]
    columns = ["inputs", "accepted", "refused", *bad]
    rows = [[row["kind"], *(f"{row[column]:,}" for column in columns), str(row["megabytes"])] for row in result["damaged"]]
    sums = [f"**{sum(row[column] for row in result['damaged']):,}**" for column in columns]
    rows.append(["**all**", *sums, f"**{max(row['megabytes'] for row in result['damaged'])}**"])
    return table(["kind of file", *columns, "MB at most"], rows)


def killed_commands(result: dict[str, Any]) -> str:
    rows = [[f"`{row['command']}`", str(row["kills"]), str(row["finished"]), "0", "yes"] for row in result["killed"]]
    return table(["command", "SIGKILLs", "runs that then ended", "half-written files", "results as undisturbed"], rows)


def threads_on_one(result: dict[str, Any]) -> str:
    rows = [[f"`{row['device']}`", f"{row['photos']:,}", "equal", ", ".join(map(str, row["megabytes"]))] for row in result["threads"]]
    return table(["device", "photos", "labels", "MB held after each fifth"], rows)


def plot() -> None:
    """The plots, each signed with a hash of itself and of the results that it was drawn from."""
    from ainet.benchmarks.report.plots import draw_all
    from ainet.benchmarks.report.results import load_results

    for file, (name, sources) in made_plots().items():
        paths = [path for source in sources for path in sorted(RESULTS.glob(f"{source}.json"))]
        (curves,) = [one.picture("svg").decode() for one in draw_all(load_results(paths)) if one.name == name]
        (ROOT / "docs" / file).write_text(curves + signature(curves, drawn_from(sources)))


def is_there(source: str) -> bool:
    """Whether a result has been made."""
    return any(RESULTS.glob(f"{source}.json"))


def made_plots() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Those of `PLOTS` whose results are there."""
    return {file: (name, sources) for file, (name, sources) in PLOTS.items() if all(map(is_there, sources))}


def drawn_from(sources: tuple[str, ...]) -> Any:
    """What a plot's signature is of: the accuracies alone, or all its results by name."""
    return accuracies() if sources == ("accuracy_*",) else {source: load(source) for source in sources}


def signature(curves: str, results: Any) -> str:
    return f"<!-- {hashlib.sha256((curves + json.dumps(results, sort_keys=True)).encode()).hexdigest()} -->\n"


def is_signed(path: Path, results: Any) -> bool:
    text = path.read_text()
    curves = text.rpartition("<!-- ")[0]
    return text == curves + signature(curves, results)


# By page: the blocks, each with its result (of a file, or the accuracies of all methods) and what makes the block of it.
PAGES: dict[str, dict[str, tuple[str, Callable[[Any], str]]]] = {
    "README.md": {"models": ("accuracy_*", models)},
    "docs/accuracy.md": {"accuracy": ("accuracy_*", accuracy), "scales": ("accuracy_*", scales)},
    "docs/regions.md": {
        "regions": ("regions", regions),
        "region_boundaries": ("regions", region_boundaries),
        "region_figures": ("regions*", region_figures),
        "proposals": ("proposals", proposals),
    },
    "docs/browser.md": {"page": ("page", page)},
    "docs/serving.md": {"serving": ("serving", serving)},
    "docs/export.md": {"parity": ("parity", parity)},
    "docs/latency.md": {
        "latency_table": ("latency_table", latency_table),
        "throughput": ("throughput", throughput),
        "latency": ("latency_cpu", latency),
        "latency_large": ("latency_cpu_large", latency_large),
        "startup": ("startup", startup),
        "network_cost": ("network_cost", network_cost),
        "postprocessing": ("postprocessing", postprocessing),
    },
    "docs/training.md": {"ablation": ("ablation", ablation), "training_speed": ("training_speed", training_speed)},
    "ainet/weights/README.md": {"conventions": ("accuracy_*", conventions)},
    "docs/robustness.md": {block.__name__: ("robustness", block) for block in (damaged_files, killed_commands, threads_on_one)},
    "docs/int8.md": {
        **{block.__name__: ("int8", block) for block in (int8_accuracy, int8_speed, int8_sensitivity)},
        "int8_others": ("int8_scn", int8_others),
    },
}


def load(source: str) -> Any:
    if source == "regions*":
        return {name: load(name) for name in ("regions", "regions_seed") if (RESULTS / f"{name}.json").is_file()}
    return accuracies() if source == "accuracy_*" else json.loads((RESULTS / f"{source}.json").read_text())


def main() -> int:
    different = []
    for page, blocks in PAGES.items():
        path = ROOT / page
        text = path.read_text()
        for name, (source, render) in blocks.items():
            content = f"{render(load(source))}\n" if is_there(source) else ""
            block = f"<!-- {name} -->\n{content}<!-- end -->"
            text, count = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
            assert count == 1, f"{page} has {count} places for {name}"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif text != path.read_text():
            different.append(page)
    if "--check" not in sys.argv:
        plot()
    else:
        different += [file for file, (_, sources) in made_plots().items() if not is_signed(ROOT / "docs" / file, drawn_from(sources))]
    if different:
        print(f"{' and '.join(different)} differ from benchmarks/results: run python tools/docs_figures.py")
    return len(different)


if __name__ == "__main__":
    sys.exit(main())
