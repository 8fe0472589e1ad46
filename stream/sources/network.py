"""A live stream from the network: RTSP, UDP, TCP or HTTP, opened again when it breaks."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import replace

import av

from ...engine.errors import MicroauError
from ...engine.records import Frame
from .. import urls
from ..source import Source
from .container import Decoded, Decoder, Options, open_container
from .framing import Framer
from .orientation import orientation
from .video import first_picture, probe

OPEN_S = 8.0
"""Seconds in which a stream has to answer and show what it holds."""
STALL_S = 5.0
"""Seconds without data after which a stream counts as lost. FFmpeg cannot be called out of a read, so
leaving takes up to this while a stream is silent, up to OPEN_S while it is opened again."""
SLACK_S = 2.0
"""Seconds by which the reader may fall behind before frames are dropped: FFmpeg's own UDP buffer, or the
two ends of a TCP connection, hold that much."""
TICK_S = 0.05
"""Seconds after which a wait looks whether it should stop."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""The pause before opening again doubles from one to the other, each with up to half of it by chance,
so that twenty recorders do not all call a restarted camera in the same moment."""
FORMATS = "rtsp,mpegts,mov,mp4,matroska,webm,flv,avi,nut,mpjpeg,mjpeg,h264,hevc,ogg,mpeg"

_COMMON = {"format_whitelist": FORMATS, "probesize": "2000000", "analyzeduration": "1500000"}
_MICROSECONDS = str(int(STALL_S * 1e6))
_OPTIONS: dict[str, Options] = {
    "rtsp": {
        "protocol_whitelist": "rtsp,rtp,rtcp,udp,tcp",
        "rtsp_flags": "prefer_tcp",
        "timeout": _MICROSECONDS,
    },
    "rtsps": {"protocol_whitelist": "rtsps,rtsp,rtp,tls,tcp", "timeout": _MICROSECONDS},
    "udp": {
        "protocol_whitelist": "udp",
        "timeout": _MICROSECONDS,
        "buffer_size": "8000000",  # bytes asked of the kernel: 1 s at 64 Mbit/s
        "fifo_size": "200000",  # packets of 188 bytes in FFmpeg's own thread: 38 MB
        "overrun_nonfatal": "1",
    },
    "tcp": {"protocol_whitelist": "tcp", "timeout": _MICROSECONDS},
    "http": {"protocol_whitelist": "http,tcp", "timeout": _MICROSECONDS},
    "https": {"protocol_whitelist": "https,tls,tcp", "timeout": _MICROSECONDS},
}


class NetworkStream(Source):
    """A stream from a URL.

    Its stamps are the sender's PTS. When it breaks off or is silent for `STALL_S`, it is opened again
    with growing pauses for up to `reconnect` seconds; the time then goes on by the monotonic clock and
    the first new frame says how many are missing. A recording served over HTTP (its size is known)
    is read like a file: at the reader's pace, and not opened again.
    """

    slack = SLACK_S

    def __init__(
        self,
        url: str,
        *,
        start: float | None = None,
        end: float | None = None,
        reconnect: float = 30.0,
    ) -> None:
        super().__init__(start=start, end=end)
        self._url, self._name, self._reconnect = url, urls.mask(url), reconnect
        self._stopped = False
        self._decoder, self._decoded, first = self._open()
        recorded = urls.scheme(url).startswith("http") and (self._decoder.container.size or 0) > 0
        described = probe(self._decoder, first, kind="network", name=self._name, live=not recorded)
        self.probe = replace(described, seekable=False)
        self._framer = Framer(
            self._name, self.probe.time_base, self.counts, live=not recorded, codec=self._decoder.codec
        )
        self._framer.orientation = orientation(first)

    def _open(self) -> tuple[Decoder, Iterator[Decoded], av.VideoFrame]:
        options = _OPTIONS.get(urls.scheme(self._url))
        if options is None:
            known = " ".join(f"{name}://" for name in urls.SCHEMES)
            raise MicroauError(f"{self._name}: not an address that is read; known are {known}")
        hint = "; write / ? # of a password as %2F %3F %23" if urls.hides_a_slash(self._url) else ""
        container = open_container(
            self._url, name=self._name, options=_COMMON | options, timeout=(OPEN_S, STALL_S), hint=hint
        )
        try:
            decoder = Decoder(container, self._name, self.counts, live=True)
            decoded, first = first_picture(decoder, self._name)
        except BaseException:
            container.close()
            raise
        return decoder, decoded, first

    def _frames(self) -> Iterator[Frame]:
        yield from self._connection()
        while self.probe.live and not self._stopped and self._open_again():
            yield from self._connection()

    def _connection(self) -> Iterator[Frame]:
        """The frames until the connection ends, however it does."""
        self.ending = ""
        try:
            for decoded, whole in self._decoded:
                frame = self._framer.frame(decoded, whole)
                if frame is not None:
                    yield frame
                if self._stopped:
                    return
            self.ending = "the sender ended the stream"
        except (av.error.ExitError, TimeoutError):
            self.ending = f"no data for {STALL_S:g} s"
        except av.FFmpegError:
            self.ending = "the connection broke"

    def _open_again(self) -> bool:
        """True: connected anew; False: the patience is at its end, or nobody wants more."""
        self._decoder.close()
        give_up = time.monotonic() + self._reconnect
        for attempt in itertools.count():
            pause = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.75, 1.25)
            if time.monotonic() + pause > give_up or not self._rest(pause):
                return False
            try:
                self._decoder, self._decoded, _ = self._open()
            except MicroauError:
                continue
            if self._decoder.stream.time_base != self.probe.time_base:
                raise MicroauError(f"{self._name}: came back with another clock; start again")
            self._framer.restart()
            self.counts.reconnects += 1
            return True
        return False

    def _rest(self, seconds: float) -> bool:
        """Wait; False: told to stop. In small steps, so that a signal handler need not touch a lock."""
        end = time.monotonic() + seconds
        while not self._stopped and time.monotonic() < end:
            time.sleep(min(TICK_S, seconds))
        return not self._stopped

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self.stop()
        self._decoded = iter(())
        self._decoder.close()
