"""A job on Ray Data: workers that each hold a Segmenter take part after part; a lost worker's part is done again by another."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray
import ray.data

from ainet.bulk.parts import Part
from ainet.bulk.worker import Task, Worker
from ainet.errors import AINetError, DeviceError
from ainet.models import Device

CONNECT_SECONDS = 10
LOCAL = "local"  # instead of an address: a Ray of our own on this machine


def run(parts: Sequence[Part], task: Task, workers: int, address: str = LOCAL) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Do the parts; yields of each, as it is done, how many images it holds and what was wrong with some, by name.

    Args:
        task: its folder and model must be the same on all machines; `task.threads` is set here.
        workers: how many; on GPUs each takes one.
        address: of a Ray cluster, as for `ray.init`, or `LOCAL`.

    Raises:
        DeviceError: the cluster cannot be reached or has too few GPUs.
        AINetError: the model or device cannot be used, or a result not be written.
    """
    if address != LOCAL:
        _check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what goes wrong comes as an exception
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    handler = signal.getsignal(signal.SIGTERM)  # Ray puts one of its own in place, which ends with a dump
    try:
        options: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
        ray.init(logging_level="ERROR", log_to_driver=False, **options)
    except Exception as error:  # of many kinds, ConnectionError among them
        raise _unreachable(address, error) from error
    signal.signal(signal.SIGTERM, handler)
    try:
        resources, threads = _resources(task.device, workers)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        work = ray.data.from_items([part.to_json() for part in parts], override_num_blocks=len(parts)).map_batches(
            _RayWorker,
            fn_constructor_args=[replace(task, threads=threads)],
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            **resources,
        )
        for row in work.iter_rows():
            yield row["images"], [tuple(error) for error in row["errors"]]
    except Exception as error:
        raise _our_error(error) from error
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise `DeviceError` where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", or a form that Ray knows
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> DeviceError:
    return DeviceError(f"cannot reach Ray at '{address}': {error}; start it with ray start --head, or use --ray local")


class _RayWorker:
    """A `Worker` as Ray Data calls it. It loads its model in its first call, whose errors reach the user."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.worker: Worker | None = None

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        if self.worker is None:
            self.worker = Worker(self.task)
        images, errors = self.worker(Part.from_json(batch["item"][0]))
        return {"images": [images], "errors": [[list(error) for error in errors]]}


def _resources(device: str, workers: int) -> tuple[dict[str, float], int]:
    """What each worker takes of the cluster, and its threads."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    on_gpu = gpus > 0 if device == "auto" else Device.parse(device).gpu is not None
    if on_gpu and gpus < workers:
        raise DeviceError(
            f"{workers} workers need as many GPUs, and the cluster has {gpus}; ask for fewer with --jobs, or use --device cpu"
        )
    threads = max(1, min(max(cpus), sum(cpus) // workers))
    return {"num_cpus": min(threads, sum(cpus) / workers), "num_gpus": float(on_gpu)}, threads


def _our_error(error: BaseException) -> BaseException:
    """The error of ours that Ray has wrapped, or else the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AINetError):
            return seen
        seen = getattr(seen, "cause", None) or seen.__cause__
    return error
