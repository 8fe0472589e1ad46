"""Kernel launches recorded once as a CUDA graph: one by one from Python they cost more than their work.

    recorder = Recorder()
    chain = FacialFlowCuda(8, RUNTIME, landmarks, recorder.stream)
    run = recorder.record(chain.queue)
    run()

What is recorded reads and writes the very buffers that it read and wrote then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cuda_driver import Graph, Stream
from .numba_cuda import config, cuda


class Recorder:
    """A stream of its own, and what is recorded on it. In the simulator, which has no graphs, what is
    recorded is called.
    """

    def __init__(self) -> None:
        self._stream = None if config.ENABLE_CUDASIM else Stream()
        self.stream: Any = cuda.external_stream(self._stream.address) if self._stream else 0
        """For Numba's kernels and copies."""
        self._recorded: list[tuple[Graph, Callable[[], object]]] = []

    @property
    def address(self) -> int:
        """The stream's, for whoever else shall work on it; 0 in the simulator."""
        return self._stream.address if self._stream else 0

    def record(self, work: Callable[[], object]) -> Callable[[], object]:
        """What runs the work again; it must launch on this stream alone, and allocate nothing."""
        if self._stream is None:
            return work
        graph = record(work, self._stream)
        self._recorded.append((graph, work))  # and with it the buffers that the graph writes
        return lambda: self._launch(graph)

    def _launch(self, graph: Graph) -> None:
        if self._stream is None:
            raise RuntimeError("what was recorded is freed")
        graph.launch(self._stream)

    def close(self) -> None:
        """Free the graphs, then the stream. Twice is harmless."""
        for graph, _ in self._recorded:
            graph.close()
        self._recorded.clear()
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def record(work: Callable[[], object], stream: Stream) -> Graph:
    """The work as a graph.

    It runs once before: kernels are compiled and loaded then, which cannot be recorded. Meanwhile Numba
    frees nothing, for that would break the recording off.
    """
    work()
    stream.synchronize()
    with cuda.defer_cleanup(), stream.capture() as graph:
        work()
    return graph
