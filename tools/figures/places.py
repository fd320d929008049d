"""The page in the browser, and the server."""

from typing import Any

from figures.results import machine_note, table


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
        f"`ainet serve {result['served']['model']} --queue 256`; {machine_note(result)}."
    )
    return table(["callers", "median", "p99", "a second", "refused", "wrong"], rows) + "\n\n" + note
