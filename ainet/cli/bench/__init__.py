"""`ainet bench`: accuracy, speed and parity, one subcommand a module."""

import typer

from ainet.cli.bench import (
    ablation,
    accuracy,
    int8,
    latency,
    latency_table,
    network_cost,
    parity,
    postprocessing,
    proposals,
    regions,
    report,
    startup,
    sweep,
    throughput,
    training_speed,
)

app = typer.Typer(help="Accuracy and speed of AINet, SCN and their peers.", no_args_is_help=True, rich_markup_mode=None)
app.command("accuracy")(accuracy.accuracy)
app.command("latency")(latency.latency)
app.command("latency-table")(latency_table.latency_table)
app.command("regions")(regions.regions)
app.command("report")(report.report)
app.command("parity")(parity.parity)
app.command("proposals")(proposals.proposals)
app.command("ablation")(ablation.ablation)
app.command("int8")(int8.int8)
app.command("network-cost")(network_cost.network_cost)
app.command("training-speed")(training_speed.training_speed)
app.command("startup")(startup.startup)
app.command("throughput")(throughput.throughput)
app.command("postprocessing")(postprocessing.postprocessing)
app.command("sweep")(sweep.sweep)
