"""Execution contexts: a stream with its buffers and graphs, and a pool of them that threads borrow from."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ainet.errors import DeviceError, UsageError
from ainet.runtime.cuda.execution import Execution, LabelExecution

if TYPE_CHECKING:
    from cuda.core import Stream

    from ainet.runtime.cuda.gpu import Gpu

MAX_EXECUTIONS = 8  # shapes that a context keeps

AnyExecution = TypeVar("AnyExecution", bound=Execution)


class ExecutionContext:
    """A stream, and the executions of the shapes that ran in it last. One thread uses it at a time."""

    def __init__(self, gpu: "Gpu") -> None:
        self.stream: Stream = gpu.make_stream()
        self._executions: OrderedDict[Hashable, Any] = OrderedDict()
        self._running: LabelExecution | None = None

    def execution(self, key: Hashable, make: Callable[["Stream"], AnyExecution]) -> AnyExecution:
        """The execution of that key; nothing may be running."""
        if key not in self._executions:
            while len(self._executions) >= MAX_EXECUTIONS:
                self._executions.popitem(last=False)[1].close()
            self._executions[key] = make(self.stream)
        self._executions.move_to_end(key)
        return self._executions[key]

    def start(self, execution: LabelExecution, images: Any, labels: Any) -> None:
        """Begin a chunk, which `finish` waits for."""
        execution.start(images, labels)
        self._running = execution

    def finish(self) -> dict[str, float]:
        """Wait for the chunk that was begun, if there is one; its stage times."""
        if self._running is None:
            return {}
        execution, self._running = self._running, None
        execution.finish()
        return execution.stage_times()

    def evict_all(self) -> None:
        """Free the memory of all executions; nothing may be running."""
        while self._executions:
            self._executions.popitem()[1].close()

    def close(self) -> None:
        self.evict_all()
        self.stream.close()


class ContextPool:
    """The execution contexts of a pipeline. Threads that find none idle get new ones."""

    def __init__(self, gpu: "Gpu") -> None:
        self._gpu = gpu
        self._idle: list[ExecutionContext] = []
        self._closed = False
        self._borrowers = 0
        self._returned = threading.Condition()

    @contextmanager
    def borrow(self, count: int) -> Iterator[list[ExecutionContext]]:
        """`count` contexts for the calling thread, whose chunks are waited for before they go back.

        Raises:
            UsageError: the pool is closed.
        """
        with self._returned:
            if self._closed:
                raise UsageError("this model is closed; load it again")
            self._borrowers += 1
        contexts: list[ExecutionContext] = []
        try:
            self._gpu.activate()
            contexts += [self._idle_or_new() for _ in range(count)]
            yield contexts
        finally:
            for context in contexts:
                with suppress(DeviceError):  # after an error that is on its way already
                    context.finish()
            self._idle.extend(contexts)
            with self._returned:
                self._borrowers -= 1
                self._returned.notify_all()

    def close_idle(self) -> None:
        """Free the memory of the contexts that nobody has borrowed."""
        self._gpu.activate()
        with suppress(IndexError):  # other threads borrow too
            while True:
                self._idle.pop().close()

    def close(self) -> bool:
        """Refuse new borrowers, wait for those that there are, and free all memory; False where the pool was closed before."""
        with self._returned:
            was_open, self._closed = not self._closed, True
            self._returned.wait_for(lambda: self._borrowers == 0)
        with suppress(DeviceError):  # a GPU that is lost has nothing left to free
            self.close_idle()
        return was_open

    def _idle_or_new(self) -> ExecutionContext:
        try:
            return self._idle.pop()
        except IndexError:
            return ExecutionContext(self._gpu)
