"""What was measured on NVIDIA GPUs."""

from typing import Any

from figures.results import table

STAGES = ("upload", "resize", "network", "assign", "connectivity", "download")


def gpu_latency(result: dict[str, Any]) -> str:
    rows = []
    for row in result["latency"]:
        way = f"{row['precision']}, {row['layout']}{', compiled' if row['compiled'] else ''}"
        stages = [f"{row['stages_ms'][stage]:.3f}" for stage in STAGES]
        speeds = [f"{row['photos_per_s'][batch]:,.0f}" for batch in ("8", "32")]
        rows.append([f"`{row['network']}`", way, f"**{row['p50_ms']:.2f}**", f"{row['p95_ms']:.2f}", *stages, *speeds])
    head = ["network", "in PyTorch", "p50", "p95", *STAGES, "photos/s, batch 8", "batch 32"]
    note = f"ms; {_where(result)}. {result['conditions']}"
    return table(head, rows) + "\n\n" + note


def gpu_kernels(result: dict[str, Any]) -> str:
    kernels = sorted(result["kernels_us"].items(), key=lambda item: -item[1])
    return table(["kernel", *(f"`{name}`" for name, _ in kernels)], [["µs", *(f"{time:.0f}" for _, time in kernels)]])


def gpu_parity(result: dict[str, Any]) -> str:
    rows = []
    for row in result["parity"]:
        changes = [f"{row['differences'][key]:+.5f}" for key in ("asa", "br", "bp", "co")]
        rows.append([f"`{row['network']}`", row["precision"], f"{row['argmax']:.3%}", f"{row['q']:.2g}", *changes])
    head = ["network", "precision", "best cell equal", "largest difference of Q", "ASA", "BR", "BP", "CO"]
    images = result["parity"][0]["images"]
    note = f"Against PyTorch in float32 on a CPU, {images} images of BSDS500 val, 600 superpixels; {_where(result)}, TF32 on."
    return table(head, rows) + "\n\n" + note


def _where(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return f"{machine['gpu']}, driver {machine['driver']}, PyTorch {result['versions']['torch']}"
