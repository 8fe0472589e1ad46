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
        self._graphs: list[Graph] = []

    @property
    def address(self) -> int:
        """The stream's, for whoever else shall work on it; 0 in the simulator."""
        return self._stream.address if self._stream else 0

    def record(self, work: Callable[[], object]) -> Callable[[], object]:
        """What runs the work again; it must launch on this stream alone, and allocate nothing."""
        if self._stream is None:
            return work
        stream, graph = self._stream, record(work, self._stream)
        self._graphs.append(graph)
        return lambda: graph.launch(stream)

    def close(self) -> None:
        """Free the graphs, then the stream."""
        for graph in self._graphs:
            graph.close()
        self._graphs.clear()
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
