"""The sample clip, as long as a benchmark needs it: packets repeated with later stamps."""

from pathlib import Path

import av

SAMPLE = Path(__file__).parents[1] / "samples" / "astronaut.mp4"
SECONDS = 5.4


def looped(target: Path, seconds: float, clip: Path = SAMPLE, length: float = SECONDS) -> Path:
    """Write `seconds` of the clip, over and over, into an MP4."""
    times = max(1, round(seconds / length))
    with av.open(str(target), "w") as out:
        for turn in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                if not turn:
                    stream = out.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    shift = round(turn * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
    return target
