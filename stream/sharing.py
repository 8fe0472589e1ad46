"""One model for several streams: what becomes due in them at about the same time is computed together.

with microau.SharedModel(device="cuda") as model:
    streams = [microau.Stream(camera=n, shared=model) for n in range(4)]
    ...                                          # each read in a thread of its own

On a GPU the first movement waits `wait_ms` at most for others, and a batch of eight costs little more
than one. On a CPU nothing is won by that: there every stream computes its own flow in its own thread,
nobody waits, and the model alone is used in turn.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..engine.batching import SharedEngine
from ..engine.bundle import Bundle
from ..engine.chain import LARGEST, Outputs, Pairs, open_chain
from ..engine.closing import Closing
from ..engine.describe import DEFAULT_BUNDLE
from ..engine.errors import MicroauError
from ..engine.inference import Array


class SharedModel(Closing):
    """A model and its flow, for any number of `Stream(..., shared=model)`.

    model, device, rebuild   as the settings of a stream
    batch                    movements from which nobody waits longer, on a GPU
    wait_ms                  milliseconds that a movement waits for others at most, on a GPU
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        *,
        batch: int = LARGEST,
        wait_ms: float = 5.0,
        rebuild: str = "never",
    ) -> None:
        if batch < 1 or not 0 <= wait_ms <= 1000:
            raise MicroauError(
                f"shared model: batch {batch} and wait {wait_ms:g} ms: at least 1; 0 to 1000"
            )
        self._chain = open_chain(Path(model or DEFAULT_BUNDLE), device, rebuild=rebuild)
        waits = self._chain.engine.device.kind != "cpu"
        self.wait_ms = wait_ms if waits else 0.0
        """Milliseconds that an event comes later at most because of the others."""
        self._run = SharedEngine(self._chain, batch, wait_ms / 1000) if waits else self._chain

    @property
    def bundle(self) -> Bundle:
        return self._chain.bundle

    def __call__(self, pairs: Pairs) -> Outputs:
        return self._run(pairs)

    def of_flow(self, flow: Array, points: Array) -> Outputs:
        return self._chain.of_flow(flow, points)

    def close(self) -> None:
        """Free the model; the streams must be closed before."""
        self._chain.close()
