"""Reads a source in its own thread, so that the source never waits for the analysis or the analysis for it.

A recording waits while the buffer is full. A live source drops its oldest frame instead and counts it:
the next one that comes through says by `missing` that there is a hole. A network stream may first fall
behind by its `slack`, since what is not read yet lies safely, and still compressed, in its own buffer:
the second in which the models are loaded costs no frame.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from ..engine.closing import Closing
from ..engine.records import Frame
from .source import Source

MAX_FRAMES = 64
"""A third of a second at 200 fps."""
MAX_BYTES = 256 << 20
"""Bounds the frames of a 4K or a raw camera, of which 64 would fill the memory."""
TICK_S = 0.05
"""Waiting looks up this often, so that a signal handler need not touch a lock."""


class Capture(Closing):
    """Iterate it for the frames; leaving the with-block joins the thread.

    What the thread raises is raised here, after the frames read before it. `stop()` is safe in a signal
    handler: the source is read no further, what lies in the buffer still comes (or not, with
    `discard=True`), then the iteration ends.

    source      opened; closed on leaving
    live        drop the oldest (True) or wait (False); None: as the source says
    max_frames, max_bytes   bound of the buffer; one frame always fits
    """

    def __init__(
        self,
        source: Source,
        *,
        live: bool | None = None,
        max_frames: int = MAX_FRAMES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if max_frames < 1 or max_bytes < 1:
            raise ValueError(f"a buffer holds at least one frame, not {max_frames} in {max_bytes} bytes")
        self.source = source
        self.dropped: Counter[str] = Counter()
        """Frames that were decoded but never came out, by cause."""
        self._live = source.probe.live if live is None else live
        self._max_frames, self._max_bytes = max_frames, max_bytes
        self._buffer: deque[Frame] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._newest = math.inf  # least difference between arrival and presentation time: no delay at all
        self._error: BaseException | None = None
        self._done = self._stopped = self._discarding = False
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)

    @property
    def waiting(self) -> int:
        """Frames in the buffer."""
        return len(self._buffer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._take()) is not None:
            yield frame
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def stop(self, *, discard: bool = False) -> None:
        """End soon; `discard` also gives up the frames already read. Only sets flags."""
        self._discarding = self._discarding or discard
        self._stopped = True
        self.source.stop()

    def close(self) -> None:
        """Stop, join the thread, close the source; harmless when repeated."""
        self.stop(discard=True)
        if self._thread.ident is not None:
            self._thread.join()
        if self._buffer:
            self.dropped["stopped"] += len(self._buffer)
            self._buffer.clear()
        self.source.close()

    def _take(self) -> Frame | None:
        with self._changed:
            while not self._buffer and not self._done and not self._stopped:
                self._changed.wait(TICK_S)
            if not self._buffer or self._discarding:
                return None
            frame = self._buffer.popleft()
            self._bytes -= size(frame)
            self._changed.notify()
            return frame

    def _read(self) -> None:
        try:
            for frame in self.source:
                if self._stopped:
                    break
                self._put(frame)
        except BaseException as error:  # handed to the reader of the frames, whatever it is
            self._error = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify()

    def _put(self, frame: Frame) -> None:
        need = size(frame)
        self._newest = min(self._newest, frame.received - frame.time)
        with self._changed:
            while self._buffer and not self._fits(need) and not self._stopped:
                if self._live and self._behind(frame) >= self.source.slack:
                    frame = self._drop_oldest(frame)
                else:
                    self._changed.wait(TICK_S)
            self._buffer.append(frame)
            self._bytes += need
            self._changed.notify()

    def _behind(self, frame: Frame) -> float:
        """Seconds by which this frame is later than the promptest one so far."""
        return time.monotonic() - frame.time - self._newest

    def _fits(self, need: int) -> bool:
        return len(self._buffer) < self._max_frames and self._bytes + need <= self._max_bytes

    def _drop_oldest(self, newest: Frame) -> Frame:
        """Drop the oldest and mark the hole in the frame after it; gives the newest back, marked or not."""
        oldest = self._buffer.popleft()
        self._bytes -= size(oldest)
        self.dropped["buffer_full"] += 1
        after = self._buffer[0] if self._buffer else newest
        marked = replace(after, missing=after.missing + oldest.missing + 1)
        if after is newest:
            return marked
        self._buffer[0] = marked
        return newest


def size(frame: Frame) -> int:
    """Bytes of the picture's planes."""
    picture = frame.picture
    return picture.luma.nbytes + sum(plane.nbytes for plane in picture.chroma or ())
