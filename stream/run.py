"""The run of `microau-stream`: a session whose steps are told to the sinks, finished whatever happens.

Nothing is written before the first frame has been analysed, so bad input leaves no trace. After that
every file is completed: at the end, after Ctrl-C, and after an error in the middle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..engine.errors import MicroauError
from .events import Event
from .interrupt import Interrupt
from .notices import closing_notices, opening_notices, summary
from .progress import make_reporter
from .record import run_record
from .results import open_tables, write_run
from .session import Session, Step
from .sink import Sink
from .sinks.terminal import Terminal

LATE_S = 0.2
"""Seconds by which a live event may come after the frame that decided it, since none waits for it."""


class Run:
    """One session and everything that its results go to.

    out      folder of the tables; None: events go to stdout alone
    command  the command line, for run.json
    """

    def __init__(self, session: Session, out: Path | None, command: Sequence[str]) -> None:
        self._session, self._out, self._command = session, out, tuple(command)
        self._reporter = make_reporter(session)
        self._sinks: list[Sink] = [self._reporter]
        self._notices: list[str] = []
        self._opened = False

    def __call__(self, interrupt: Interrupt) -> None:
        """Run to the end of the input, to a signal, or until nobody looks any more.

        Raises MicroauError; the files then hold what was found before.
        """
        status = "failed"
        interrupt.stop = lambda: self._session.stop("interrupted")
        try:
            self._deliver_all(interrupt)
            status = "interrupted" if interrupt.happened else "done"
        except KeyboardInterrupt:
            interrupt.happened, status = True, "interrupted"
        except MicroauError as error:
            self._session.ending = str(error)
            raise
        finally:
            self._finish(status)
        self._reporter.say(summary(self._session, self._out))

    def say(self, sentence: str) -> None:
        """Tell the user something, and keep it for run.json."""
        self._notices.append(sentence)
        self._reporter.say(sentence)

    def _deliver_all(self, interrupt: Interrupt) -> None:
        for step in self._session.steps():
            if not self._opened:
                self._open()
            self._deliver(step)
            self._say_all(self._session.new_notices())
            self._stop_if_asked()
        self._say_all(closing_notices(self._session))

    def _open(self) -> None:
        self._opened = True
        self._say_all(opening_notices(self._session))
        if self._out is not None:
            self._sinks += open_tables(self._out, self._session, self._record("running"))
        self._sinks += self._pictures()
        output = self._session.config.output
        alone = len(self._sinks) == 1
        self._sinks.append(Terminal(self._session.aus, explain=output.explain, alone=alone))

    def _pictures(self) -> Iterator[Sink]:
        output = self._session.config.output
        if output.overlay is not None:
            from .sinks.overlay import Overlay

            probe = self._session.source.probe
            reach_s = self._session.pipeline.reach_back_ms(probe.rate) / 1000 + LATE_S * self._session.live
            yield Overlay(Path(output.overlay), reach_s, probe.sample_aspect, live=self._session.live)
        if output.view:
            from .view import View

            yield View(self._session.source.probe.name)

    def _deliver(self, step: Step) -> None:
        for sink in self._sinks:
            for item in step.items:
                if isinstance(item, Event):
                    sink.event(item)
                else:
                    sink.row(item)
            if step.frame is not None:
                sink.frame(step.frame, step.faces)

    def _stop_if_asked(self) -> None:
        for sink in self._sinks:
            if sink.ending:
                self._session.stop(sink.ending)

    def _say_all(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            self.say(sentence)

    def _finish(self, status: str) -> None:
        """Close every sink and complete run.json; an error here counts unless there was one before."""
        error = self._close_sinks()
        self._say_all([sink.remark for sink in self._sinks if sink.remark])
        if error is not None and status != "failed":
            self._session.ending = str(error)
            self._write_record("failed")
            raise error
        self._write_record(status)
        if status == "failed" and self._opened:  # what there is until then; the error's line comes below
            self._reporter.say(summary(self._session, self._out))

    def _close_sinks(self) -> MicroauError | None:
        """Close all, also where one fails; the first error."""
        first = None
        for sink in self._sinks:
            try:
                sink.close()
            except MicroauError as error:
                first = first or error
        return first

    def _write_record(self, status: str) -> None:
        if self._out is None or not self._opened:
            return
        # A run that failed, on a full disk maybe, has its own error to tell.
        with contextlib.suppress(MicroauError) if status == "failed" else contextlib.nullcontext():
            write_run(self._out, self._record(status))

    def _record(self, status: str) -> dict[str, object]:
        return run_record(self._session, list(self._command), status, self._notices)
