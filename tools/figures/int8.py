"""The networks in INT8."""

from typing import Any

from figures.results import table


def int8_accuracy(result: dict[str, Any]) -> str:
    qualities = {"fast": "plain grid", "best": "exact"}
    rows = []
    for row in result["accuracy"]:
        worst = row["worst"]["asa"]
        values = [f"{row['fp32'][key]:.4f}" for key in ("asa", "br")] + [f"{row['change'][key]:+.5f}" for key in ("asa", "br", "bp")]
        rows.append([f"{row['n_segments']:,}", qualities[row["quality"]], *values, f"{worst['change']:+.4f} ({worst['image']})"])
    note = f"{result['images']} images; changes against fp32, and the image that loses most."
    if "sensitivity" in result:
        left = result["sensitivity"]["float_layers"]
        note += f" In float: {', '.join(left)}." if left else " No layer is left in float."
    if "equal" in result:
        note += f" The best cell is the same for {result['equal']:.1%} of the pixels."
    return table(["superpixels", "count", "ASA, fp32", "BR, fp32", "ASA", "BR", "BP", "ASA of one image"], rows) + "\n\n" + note


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
