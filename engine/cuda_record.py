"""Kernel launches recorded once as a CUDA graph: one by one from Python they cost more than their work.

    stream = Stream()
    chain = FacialFlowCuda(8, RUNTIME, landmarks, cuda.external_stream(stream.address))
    graph = record(chain.queue, stream)
    graph.launch(stream)

What is recorded reads and writes the very buffers that it read and wrote then.
"""

from __future__ import annotations

from collections.abc import Callable

from .cuda_driver import Graph, Stream
from .numba_cuda import cuda


def record(work: Callable[[], object], stream: Stream) -> Graph:
    """The work as a graph; it must launch on that stream alone, and allocate nothing.

    It runs once before: kernels are compiled and loaded then, which cannot be recorded. Meanwhile Numba
    frees nothing, for that would break the recording off.
    """
    work()
    stream.synchronize()
    with cuda.defer_cleanup(), stream.capture() as graph:
        work()
    return graph
