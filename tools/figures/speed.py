"""Times: of a photo, of its steps, of folders, of training."""

from typing import Any

from figures.results import table

SIZES = ((481, 321), (1920, 1080), (4000, 3000))
THREADS = (1, 2)
TITLES = {
    "ainet-lite@openvino": "`ainet-lite`, plain grid",
    "ainet-lite@openvino+best": "`ainet-lite`, exact count (the default)",
    "ainet@openvino": "`ainet`, plain grid",
    "ainet@openvino+best": "`ainet`, exact count",
    "ainet@openvino+fp32": "`ainet` in float32, plain grid",
    "ainet@openvino+fp32+best": "`ainet` in float32, exact count",
    "scn@openvino": "`scn`, plain grid",
    "scn@openvino+best": "`scn`, exact count",
    "slic-cv": "SLIC, OpenCV",
    "slico": "SLICO, OpenCV",
    "seeds": "SEEDS, OpenCV",
    "lsc": "LSC, OpenCV",
    "slic": "SLIC, scikit-image",
    "fast-slic": "SLIC, fast-slic",
    "snic": "SNIC",
}


def latency_table(result: dict[str, Any]) -> str:
    """Median ms and, in brackets, the ratio to OpenCV's SLIC."""
    found = {(row["method"], row["width"], row["height"], row["threads"]): row for row in result["rows"]}
    columns = [(size, threads) for size in SIZES for threads in THREADS]
    rows = []
    for method, title in TITLES.items():
        if method in result["methods"]:
            rows.append([title, *(_cell(found.get((method, *size, threads))) for size, threads in columns)])
    head = ["method", *(f"{width}x{height}, {threads} thread{'s' * (threads > 1)}" for (width, height), threads in columns)]
    versions = result["versions"]
    note = (
        f"Median ms for 600 superpixels, and the ratio to OpenCV's SLIC in the same rounds; {result['machine']['processor']}, OpenVINO "
        f"{versions['openvino']}, OpenCV {versions['opencv-contrib-python-headless']}. A dash: a call takes over "
        f"{result['settings']['limit_s']:g} s, or was not measured. Ours are in INT8 where nothing else stands."
    )
    return table(head, rows) + "\n\n" + note


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    milliseconds = 1e3 * row["seconds"]["median"]
    text = f"{milliseconds:,.1f}" if milliseconds < 20 else f"{milliseconds:,.0f}"
    return text if row["ratio"] is None else f"{text} ({row['ratio']:.2f})"


def throughput(result: dict[str, Any]) -> str:
    """Photos a second."""
    rows = [[row["method"], f"{row['photos_per_second']:.1f}", f"{row['/ slic-cv']:.2f}"] for row in result["rows"]]
    settings, machine = result["settings"], result["machine"]
    note = (
        f"{settings['photos']} photos, {settings['n_segments']} superpixels, {settings['jobs']} jobs on {machine['cores']} cores of "
        f"an {machine['processor']}, from the shell, with start, reading and writing; one run for all."
    )
    return table(["method", "photos a second", "/ SLIC, OpenCV"], rows) + "\n\n" + note


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


def training_speed(result: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in result["parts_seconds"].items())
    recipe, settings = result["recipe"], result["settings"]
    return (
        f"On {settings['threads']} CPU threads a step of `{settings['network']}` at batch {recipe['batch_size']} takes "
        f"{result['seconds_per_step']:.2f} s ({parts}; each measured alone)."
    )
