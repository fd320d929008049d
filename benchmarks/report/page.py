"""The page: what the results hold, in words, plots, tables and pictures."""

import json
from collections.abc import Sequence
from html import escape
from importlib import resources

from ainet.benchmarks.report.plots import Plot
from ainet.benchmarks.report.results import Result, Results, about_recipe
from ainet.benchmarks.report.strips import Strip
from ainet.benchmarks.report.tables import (
    accuracy_table,
    conventions_table,
    growth_table,
    latency_table,
    memory_table,
    proposals_table,
    region_figures_table,
    regions_table,
    scales_table,
)

TITLE = "Superpixels: accuracy and time"
CONDITIONS = ("method", "parameters", "methods", "recipe", "protocol", "data", "settings", "versions", "machine")


def build_page(results: Results, plots: Sequence[Plot], strips: Sequence[Strip], proposals: Sequence[Strip] = ()) -> str:
    """HTML of one file: nothing in it is fetched from elsewhere."""
    drawn = {plot.name: _figure(plot) for plot in plots}
    sections = [
        *_accuracy(results, drawn),
        *_regions(results, drawn),
        *_proposals(results, drawn, proposals),
        *_ablation(results, drawn),
        *_latency(results, drawn),
        *_strips(results, strips),
        _conditions(results),
    ]
    links = "".join(f'<a href="#{identity}">{escape(title)}</a>' for identity, title, _ in sections)
    body = "\n".join(f'<section id="{identity}"><h2>{escape(title)}</h2>\n{content}</section>' for identity, title, content in sections)
    data = "\n".join(f'<script type="application/json" data-file="{escape(result.name)}">{_json(result)}</script>' for result in results)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{TITLE}</title>
<style>
{_asset("page.css")}</style>
</head>
<body>
<header><h1>{TITLE}</h1>
{_lead(results)}
<nav>{links}</nav></header>
<main>
{body}
</main>
<output id="source" hidden></output>
{data}
<script>
{_asset("page.js")}</script>
</body>
</html>
"""


Section = tuple[str, str, str]  # id, title, HTML


def _lead(results: Results) -> str:
    lines = []
    if results.accuracy:
        first = results.accuracy[0].data
        data, scales = first["data"], first["scales"]
        pairs = f"{first['pairs']['all_gts']} pairs of an image and a ground truth"
        lines.append(
            f"{data['name']} <b>{escape(data['split'])}</b>, {data['images']} images, {pairs}; public protocol, {len(scales)} scales. "
            "Main figures are means over all pairs."
        )
    lines.append("Click a number to see where it stands in the results, and the head of a column to sort by it.")
    return "".join(f"<p>{line}</p>" for line in lines)


def _about_scale_one(results: Results) -> str:
    counts = [entry["n_segments"] for result in results.accuracy for entry in result.data["scales"] if entry["scale"] == 1]
    return f"About {counts[0]:,} superpixels" if counts else "Scale 1"


def _accuracy(results: Results, drawn: dict[str, str]) -> list[Section]:
    if not results.accuracy:
        return []
    all_scales = scales_table(results.accuracy, lambda result: [(result.data["method"], ("scales",))])
    content = (
        f"<h3>{_about_scale_one(results)}, and over a range</h3>{accuracy_table(results)}"
        "<p>Methods differ in how many superpixels they make of what they are asked for; more superpixels make ASA and BR easier. "
        "So compare the curves and the mean over <em>actual</em> counts, not the columns at one scale alone.</p>"
        f"{drawn['fig4-asa']}{drawn['fig4-br-bp']}{drawn['ue']}{drawn['co']}"
        f"<details><summary>All scales</summary>{all_scales}</details>"
        f"<details><summary>Other conventions of averaging, at scale 1</summary>{conventions_table(results)}</details>"
    )
    return [("accuracy", "Accuracy", content)]


def _regions(results: Results, drawn: dict[str, str]) -> list[Section]:
    if not results.merged:
        return []
    figures = "".join(f"<h3>{escape(result.name)}</h3>{region_figures_table(result)}" for result in results.merged)
    content = (
        "<p>Superpixels finer than asked for, merged down to exact counts: learned by the cost of the model file, or of the image alone "
        "where there is none, or by a plain cost; direct: superpixels as the method gives them.</p>"
        f"{drawn['regions-asa']}{drawn['regions-br-bp']}{figures}"
        f"<details><summary>All counts</summary>{regions_table(results.merged[0])}</details>"
    )
    return [("regions", "Merged to exact counts", content)]


def _proposals(results: Results, drawn: dict[str, str], strips: Sequence[Strip]) -> list[Section]:
    content = "".join(f"{drawn[f'proposals{number}']}{proposals_table(result, number)}" for number, result in enumerate(results.proposals))
    return [("proposals", "Object proposals", content + _pictures(strips))] if content else []


def _ablation(results: Results, drawn: dict[str, str]) -> list[Section]:
    content = ""
    for number, result in enumerate(results.ablation):
        variants = scales_table(
            [result], lambda found: [(name, ("variants", name)) for name in found.data["variants"]], f"ablation{number}"
        )
        content += f"<p>{escape(about_recipe(result.data['recipe']))}</p>"
        content += f"{drawn[f'fig6-{number}']}<details><summary>All scales</summary>{variants}</details>"
    return [("ablation", "Ablation", content)] if content else []


def _latency(results: Results, drawn: dict[str, str]) -> list[Section]:
    sections = []
    for number, result in enumerate(results.latency):
        settings = result.data["settings"]
        content = ""
        if result.data["counts"]:
            content += f"{drawn[f'fig8-{number}']}<h3>Number of superpixels</h3>{latency_table(result, 'counts', number)}"
        if result.data["sizes"]:
            content += f"{drawn[f'sizes-{number}']}<h3>Image size</h3>{latency_table(result, 'sizes', number)}{growth_table(result)}"
        content += f"<h3>Memory</h3>{memory_table(result)}"
        untrained = [name for name, about in result.data["methods"].items() if not about["trained"]]
        if untrained:
            content += f"<p>With random weights, which take the same time: {escape(', '.join(untrained))}.</p>"
        if result.data["left_out"]:
            cases = [
                (f"{r['method']}, {r['width']}x{r['height']}, {r['n_segments']:,} superpixels", r["reason"])
                for r in result.data["left_out"]
            ]
            lines = "".join(f"<li>{escape(case)}: {escape(reason)}</li>" for case, reason in cases)
            content += f"<details><summary>Left out</summary><ul>{lines}</ul></details>"
        sections.append((f"latency{number}", f"Time: {settings['device']}, CPU threads: {settings['threads']}", content))
    return sections


def _strips(results: Results, strips: Sequence[Strip]) -> list[Section]:
    return [("pictures", f"Pictures: {_about_scale_one(results).lower()}", _pictures(strips))] if strips else []


def _pictures(strips: Sequence[Strip]) -> str:
    content = ""
    for strip in strips:
        figures = "".join(
            f'<figure><img src="{uri}" alt="{escape(name)}"><figcaption>{escape(name)}</figcaption></figure>'
            for name, uri in strip.pictures.items()
        )
        content += f'<h3>Image {escape(strip.image_id)}</h3><div class="strip">{figures}</div>'
    return content


def _conditions(results: Results) -> Section:
    """Of each result, all that is no figure: parameters, settings, data, versions, machine."""
    skipped = {name: reason for result in results for name, reason in result.data.get("skipped", {}).items()}
    lines = "".join(f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in skipped.items())
    content = f"<p>Skipped:</p><ul>{lines}</ul>" if lines else ""
    for result in results:
        about = {key: result.data[key] for key in CONDITIONS if key in result.data}
        content += f"<details><summary>{escape(result.name)}</summary><pre>{escape(json.dumps(about, indent=1))}</pre></details>"
    return ("conditions", "How the results were made", content)


def _figure(plot: Plot) -> str:
    return f'<figure class="plot" id="{plot.name}">{plot.for_page()}<figcaption>{escape(plot.caption)}</figcaption></figure>\n'


def _json(result: Result) -> str:
    return json.dumps(result.data, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (resources.files(__package__) / name).read_text()
