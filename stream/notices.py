"""The sentences that a run says about itself, beside its events."""

from __future__ import annotations

from pathlib import Path

from .sensitivity import hidden
from .session import Session
from .source import END_OF_INPUT, Probe
from .wording import clock, count

WHOLE = 0.95
"""Share of what a file says it holds: sound may last a little longer, edits may leave frames out."""


def opening_notices(session: Session) -> list[str]:
    """What is being analysed, and how late and from when on events come."""
    probe, pipeline = session.source.probe, session.pipeline
    lookahead, startup = pipeline.latency_ms / 1000, pipeline.startup_ms(probe.rate) / 1000
    return [
        describe_input(probe),
        *_asked_and_set(session),
        f"events come at most {lookahead:.2f} s after their apex;"
        f" a face's first {startup:.1f} s set its noise floor",
    ]


def describe_input(probe: Probe) -> str:
    """Name, size, rate and length in one phrase."""
    facts = [f"{probe.width}x{probe.height}"]
    if probe.rate is not None:
        facts.append(f"{probe.rate:.4g} frames/s")
    if probe.duration is not None and not probe.live:
        facts.append(clock(probe.duration, 1))
    if probe.codec:
        facts.append(probe.codec)
    return f"{probe.name}: {', '.join(facts)}"


def _asked_and_set(session: Session) -> list[str]:
    """A camera does not always do what it is asked to."""
    asked, probe = session.config.capture, session.source.probe
    if probe.kind != "camera":
        return []
    rate = probe.actual_fps
    differs = (
        (asked.width is not None and asked.width != probe.width)
        or (asked.height is not None and asked.height != probe.height)
        or (asked.fps is not None and rate is not None and abs(rate - asked.fps) > 0.01 * asked.fps)
    )
    if not differs:
        return []
    wishes = [f"{asked.width}x{asked.height}"] if asked.width is not None else []
    wishes += [f"{asked.fps:g} frames/s"] if asked.fps is not None else []
    set_to = describe_input(probe).partition(": ")[2]
    return [f"{probe.name} was asked for {' at '.join(wishes)}; its driver set {set_to}"]


def closing_notices(session: Session) -> list[str]:
    """What went less well than it might, once all is known."""
    tally, counts = session.tally, session.source.counts
    sentences = []
    if not tally.with_face:
        sentences.append(_nobody(session))
    if counts.damaged or counts.decoder_errors:
        broken = counts.damaged + counts.decoder_errors
        sentences.append(f"{count(broken, 'picture')} could not be decoded and left out")
    sentences += _cut_off(session) + _coarse(session)
    dropped = sum(number for cause, number in session.dropped.items() if cause != "stopped")
    if dropped:
        sentences.append(f"{count(dropped, 'frame')} lost because the analysis was not fast enough")
    return sentences


def _cut_off(session: Session) -> list[str]:
    """A file that was copied in part decodes as far as it goes, and nothing else tells."""
    probe, last = session.source.probe, session.tally.last_time
    if probe.kind != "file" or session.ending != END_OF_INPUT:
        return []
    if probe.frames:
        if session.source.counts.decoded >= WHOLE * probe.frames:
            return []
        return [
            f"only {session.source.counts.decoded} of its {probe.frames} frames are there: is it cut off?"
        ]
    if probe.duration is None or last >= WHOLE * probe.duration - 0.5:
        return []
    return [f"its last picture is at {clock(last, 1)} of {clock(probe.duration, 1)}: is it cut off?"]


def _coarse(session: Session) -> list[str]:
    """Of a recording too short to have been told on the way."""
    sentence = hidden(session.pipeline.noise)
    return [sentence] if sentence and not session.pipeline.noise_judged else []


def _nobody(session: Session) -> str:
    """Why there can be no event."""
    tally, least = session.tally, session.config.face.min_oed_px
    frames = count(tally.frames, "frame")
    if not tally.too_small:
        return f"no face was found in {frames}; one needs {least:g} pixels between the outer eye corners"
    return (
        f"no face could be measured: in {tally.too_small} of {frames} one was seen, with less than"
        f" {least:g} pixels between the outer eye corners"
    )


def summary(session: Session, out: Path | None) -> str:
    """The last line: what was found, in what, how fast, and where it is."""
    tally, macro = session.tally, session.pipeline.macro_count
    asked = session.config.spot.report_macro
    found = count(tally.events - (macro if asked else 0), "candidate event")
    if macro:
        found += f" and {count(macro, 'longer movement')}{'' if asked else ' (--macro lists them)'}"
    where = f"; results in {out}" if out is not None else ""
    speed = f"{count(tally.frames, 'frame')}, {tally.fps:.0f} frames/s"
    return f"{found} in {clock(tally.last_time - session.config.capture.start, 1)} ({speed}){where}"
