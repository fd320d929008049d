"""The pages' table of latencies and of photos a second, for `docs_figures.py`."""

from typing import Any

SIZES = ((481, 321), (1920, 1080), (4000, 3000))
THREADS = (1, 2)
TITLES = {
    "ainet@openvino": "`ainet`, plain grid",
    "ainet@openvino+best": "`ainet`, exact count (the default)",
    "ainet@openvino+fp32": "`ainet` in float32, plain grid",
    "ainet@openvino+fp32+best": "`ainet` in float32, exact count",
    "ainet-lite@openvino": "`ainet-lite`, plain grid",
    "ainet-lite@openvino+best": "`ainet-lite`, exact count",
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


def latency_rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]], str]:
    """Head, rows and note of the table: median ms and, in brackets, the ratio to OpenCV's SLIC."""
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
    return head, rows, note


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    milliseconds = 1e3 * row["seconds"]["median"]
    text = f"{milliseconds:,.1f}" if milliseconds < 20 else f"{milliseconds:,.0f}"
    return text if row["ratio"] is None else f"{text} ({row['ratio']:.2f})"


def throughput_rows(result: dict[str, Any]) -> tuple[list[str], list[list[str]], str]:
    """Head, rows and note of the table of photos a second."""
    rows = [[row["method"], f"{row['photos_per_second']:.1f}", f"{row['/ slic-cv']:.2f}"] for row in result["rows"]]
    settings, machine = result["settings"], result["machine"]
    note = (
        f"{settings['photos']} photos, {settings['n_segments']} superpixels, {settings['jobs']} jobs on {machine['cores']} cores of "
        f"an {machine['processor']}, from the shell, with start, reading and writing; one run for all."
    )
    return ["method", "photos a second", "/ SLIC, OpenCV"], rows, note
