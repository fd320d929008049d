"""Tasks spread over processes that end with the run, however it ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ainet.errors import DeviceError

Stop = Callable[[], bool]  # asked by a task at places where it can end early
Task = TypeVar("Task")

_stop: Stop = lambda: False  # noqa: E731 - replaced in the processes of a pool


def run_tasks(work: Callable[[Task, Stop], None], tasks: Sequence[Task], jobs: int) -> Iterator[Task]:
    """Yield each task when `work(task, stop)` has done it, in any order; with one job all in this process.

    `work` is a function of a module. When the caller leaves the loop, or an error does, tasks that wait are dropped and `stop` is true
    for those that run.

    Raises:
        DeviceError: a process was killed; what else a task raises.
    """
    if jobs == 1:
        for task in tasks:
            work(task, lambda: False)
            yield task
        return
    context = multiprocessing.get_context("spawn")  # forked engines and thread pools hang
    stop = context.Event()
    pool = ProcessPoolExecutor(jobs, context, _start, (stop,))
    try:
        futures = {pool.submit(_call, work, task): task for task in tasks}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise DeviceError("a process of the run was killed, often for want of memory; run it again with fewer jobs, it goes on") from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _start(stop: Any) -> None:
    global _stop
    _stop = stop.is_set
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Where the first process is killed, nobody waits for results."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call(work: Callable[[Task, Stop], None], task: Task) -> None:
    work(task, _stop)
