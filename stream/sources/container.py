"""FFmpeg, opened with a short list of what it may touch; its complaints turned into one line.

By default FFmpeg follows playlists, concatenations and sub-file tricks to other files and hosts: both
the protocols and the container formats are therefore named one by one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av

from ...engine.errors import MicroauError
from ..source import Counts

FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,mpeg2video,m4v,asf,flv,ogg,nut,mxf,"
    "dv,gif,apng,h264,hevc,obu,ivf,mjpeg,yuv4mpegpipe,wtv,rm,swf,av1"
)
"""Demuxers that hold their pictures themselves; no hls, dash, concat, image2, sdp, lavfi."""
THREADS = 4
"""Most decoding threads: more hold more frames back and take cores from the analysis."""
SMALL = 400_000
"""Pixels up to which one thread decodes: at 640x480 threads cost 40 % more CPU and are slower
(benchmarks/capture.py --threads); at 960x540 they double the rate."""

HEALED_S = 1.0
"""Seconds after which a stream without key pictures is taken to have refreshed itself."""
TOO_LATE = "no answer in time"
Options = dict[str, str]


def open_container(
    url: str,
    *,
    name: str,
    options: Options,
    format: str | None = None,
    timeout: tuple[float, float] | None = None,
    hint: str = "",
) -> av.container.InputContainer:
    """An opened FFmpeg input with at least one picture stream.

    url      what FFmpeg opens, with its protocol
    name     what an error calls it: masked
    timeout  seconds to open, seconds for one read
    hint     added to a refusal
    raises   MicroauError
    """
    began = time.monotonic()
    try:
        container = av.open(url, format=format, container_options=options, timeout=timeout)
    except (av.FFmpegError, OSError, ValueError) as error:
        late = timeout is not None and time.monotonic() - began >= timeout[0]
        raise MicroauError(f"{name}: {TOO_LATE if late else reason(error)}{hint}") from None
    if not container.streams.video:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        container.close()
        raise MicroauError(f"{name}: no video in it, only {', '.join(kinds)}")
    return container


def reason(error: BaseException) -> str:
    """Why FFmpeg refused, in words that help; never its own text, which may repeat the URL."""
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    return getattr(error, "strerror", None) or type(error).__name__


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (av.error.HTTPUnauthorizedError, "the server wants a user and password, or refuses these (401)"),
    (av.error.HTTPForbiddenError, "the server forbids it (403)"),
    (av.error.HTTPNotFoundError, "the server knows no such address (404)"),
    (av.error.HTTPError, "the server answered with an error"),
    (av.error.InvalidDataError, "not a video that can be read: damaged, cut off, or another kind of file"),
    (
        av.error.ArgumentError,
        "a kind of file that is not read (playlists and scripts never are)",
    ),
    (av.error.ProtocolNotFoundError, "asks for a protocol that is not allowed"),
    (av.error.DemuxerNotFoundError, "a container format that this FFmpeg does not read"),
    (av.error.DecoderNotFoundError, "a codec that this FFmpeg does not decode"),
    (av.error.ExitError, TOO_LATE),
    (TimeoutError, TOO_LATE),
    (ConnectionRefusedError, "connection refused: is the stream being sent?"),
    (FileNotFoundError, "no such file"),
    (PermissionError, "not allowed to read it"),
    (EOFError, "empty: no picture in it"),
)


Decoded = tuple[av.VideoFrame, bool]
"""A picture, and True where nothing in it is guessed."""


class Trust:
    """Which pictures are whole: after a damaged packet none is, until the next key picture.

    The decoder fills what it misses from older pictures, without a word; what is built on that moves as
    no face does. A stream that refreshes itself without key pictures is believed again after a while.
    """

    def __init__(self, tick: Fraction) -> None:
        self._tick = tick
        self._lost = False
        self._since: int | None = None

    def lose(self) -> None:
        """A packet was damaged, or could not be decoded."""
        self._lost, self._since = True, None

    def deserves(self, frame: av.VideoFrame) -> bool:
        """True: this picture can be believed."""
        if frame.is_corrupt or not self._lost:
            return not frame.is_corrupt
        self._since = frame.pts if self._since is None else self._since
        healed = frame.pts is not None and (frame.pts - (self._since or 0)) * self._tick > HEALED_S
        self._lost = not (frame.key_frame or healed)
        return not self._lost


class Decoder:
    """The pictures of a container's best video stream, as FFmpeg frames in presentation order.

    live  True: each picture as soon as it is there, rather than more pictures a second
    borrowed  packets lie in the driver's memory, which is gone when the container is closed
    idle  called again and again while a device has nothing; False from it ends the pictures
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        name: str,
        counts: Counts,
        *,
        live: bool = False,
        borrowed: bool = False,
        idle: Callable[[], bool] = lambda: False,
    ) -> None:
        self.container = container
        self._idle, self._borrowed = idle, borrowed
        self.stream = _best(container, name)
        self._name, self._counts = name, counts
        self._trust = Trust(Fraction(self.stream.time_base or 1))
        context = self.stream.codec_context
        small = context.width * context.height <= SMALL
        # Frame threads hold back one frame each: good for a recording, a delay for a live stream.
        context.thread_type = "SLICE" if live or small else "AUTO"
        context.thread_count = 1 if small else min(THREADS, os.cpu_count() or 1)

    @property
    def codec(self) -> str:
        return str(self.stream.codec_context.name)

    def frames(self) -> Iterator[Decoded]:
        """Every picture that decodes, and whether it is whole; a packet that does not decode is counted.

        raises  av.FFmpegError where the input itself breaks off, after the pictures before that
        """
        try:
            for packet in self._packets():
                if packet.is_corrupt:
                    self._trust.lose()
                yield from self._decoded(packet)
        except av.FFmpegError:
            yield from self._decoded(None)
            raise

    def _decoded(self, packet: av.Packet[av.VideoStream] | None) -> Iterator[Decoded]:
        return ((frame, self._trust.deserves(frame)) for frame in self._decode(packet))

    def _decode(self, packet: av.Packet[av.VideoStream] | None) -> list[av.VideoFrame]:
        """The pictures that this packet brings out; None: those that the decoder still holds."""
        try:
            frames: list[av.VideoFrame] = self.stream.decode(packet)
            return frames
        except av.error.EOFError:  # flushed before
            return []
        except (av.error.DecoderNotFoundError, av.error.PatchWelcomeError):
            raise MicroauError(f"{self._name}: codec {self.codec} cannot be decoded here") from None
        except av.FFmpegError:
            self._counts.decoder_errors += 1
            self._trust.lose()
            return []

    def _packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Every packet, and empty ones at the end that bring out what the decoder holds back."""
        while True:
            try:
                if not self._borrowed:
                    yield from self.container.demux(self.stream)
                    return
                packet = self._own_packet()
                if packet.size:
                    yield packet
                elif packet.pts is None:
                    return
                else:  # the driver marked it as broken: FFmpeg has emptied it
                    self._counts.decoder_errors += 1
                    self._trust.lose()
            except av.error.BlockingIOError:
                if not self._idle():
                    return

    def _own_packet(self) -> av.Packet[av.VideoStream]:
        """The next packet in memory of its own; nothing, not even an iterator, keeps the driver's."""
        packet = next(self.container.demux(self.stream))
        own = av.Packet(bytes(packet))
        own.pts, own.dts, own.time_base = packet.pts, packet.dts, packet.time_base
        return own

    def close(self) -> None:
        self.container.close()


def _best(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The largest moving picture: not the cover art or thumbnail that lies beside it."""
    known = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not known:
        raise MicroauError(f"{name}: its video is in a codec that this FFmpeg does not decode")
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    moving = [stream for stream in known if not stream.disposition & still]
    return max(moving or known, key=lambda stream: stream.width * stream.height)
