"""Damaged files, killed commands, threads."""

from typing import Any

from figures.results import table


def damaged_files(result: dict[str, Any]) -> str:
    bad = ["foreign exception", "crash", "hang", "memory", "half-written file"]
    columns = ["inputs", "accepted", "refused", *bad]
    rows = [[row["kind"], *(f"{row[column]:,}" for column in columns), str(row["megabytes"])] for row in result["damaged"]]
    sums = [f"**{sum(row[column] for row in result['damaged']):,}**" for column in columns]
    rows.append(["**all**", *sums, f"**{max(row['megabytes'] for row in result['damaged'])}**"])
    return table(["kind of file", *columns, "MB at most"], rows)


def killed_commands(result: dict[str, Any]) -> str:
    rows = [[f"`{row['command']}`", str(row["kills"]), str(row["finished"])] for row in result["killed"]]
    note = (
        "`fuzz.kill` ends with an error at a half-written file, and at results that are not those of an undisturbed run: there was neither."
    )
    return table(["command", "SIGKILLs", "runs that then ended"], rows) + "\n\n" + note


def threads_on_one(result: dict[str, Any]) -> str:
    rows = [[f"`{row['device']}`", f"{row['photos']:,}", ", ".join(map(str, row["megabytes"]))] for row in result["threads"]]
    note = "`fuzz.threads` ends with an error at labels that are not those of one thread: all were equal."
    return table(["device", "photos", "MB held after each fifth"], rows) + "\n\n" + note
