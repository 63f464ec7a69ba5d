"""What a long task shows on standard error: one moving line on a terminal, a line at each tenth elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from fastnet import streams
from fastnet.cli import signals

if TYPE_CHECKING:
    from fastnet.training import Progress

REDRAW_SECONDS = 0.1
READY = "getting ready: what is new to this CPU is compiled first, for some seconds"


class Meter:
    """The place where progress is shown; `lines=False` keeps it silent where nothing can move."""

    def __init__(self, stream: TextIO | None, lines: bool = True) -> None:
        self.stream = stream
        self.moving = stream is not None and streams.there(stream) and stream.isatty()
        self._lines = lines
        self._tenth = 0
        self._shown = ""
        self._shown_at = -REDRAW_SECONDS

    def show(self, done: int, total: int, text: Callable[[], str]) -> None:
        """Called as often as the task likes; `text` is called only where it will be seen."""
        if self.moving:
            if (now := time.perf_counter()) >= self._shown_at + REDRAW_SECONDS:
                self._shown_at = now
                self._redraw(text())
        elif self._lines and (tenth := 10 * done // total) > self._tenth:
            self._tenth = tenth
            self._write(f"{text()}\n")

    def announce(self, text: str) -> None:
        """What keeps a terminal waiting before anything can move."""
        if self.moving:
            self._redraw(text)

    def close(self) -> None:
        """Leave a clean line to whoever writes next."""
        if self._shown:
            self._redraw("")
            self._write("\r")

    def _redraw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be overwritten
        self._write(f"\r{text.ljust(len(self._shown))}")
        self._shown = text

    def _write(self, text: str) -> None:
        if not streams.show(self.stream, text):  # nothing is any more; the task goes on
            self.moving = self._lines = False


class TrainingProgress:
    """A callback for `train`.

    It ends with check(), which may raise what is to end the training; tell(text) is called once, with where it begins.
    """

    every_epoch = False  # a line shows no more than ten times a second, and the spiral's epochs are of one step

    def __init__(
        self,
        meter: Meter,
        check: Callable[[], None] = signals.check,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.meter, self._check, self._tell = meter, check, tell
        meter.announce(READY)
        self._start = time.perf_counter()
        self._first = self._last = 0, self._start  # iterations done, and when: at the first call and the last
        self._total = 0  # iterations, known from the first call on
        self._before: int | None = None  # iterations of the processes that a resumed training was in before

    def steps_to_call(self, done: int) -> int:
        """To the next tenth: equal runs write equal lines."""
        if self._before is None:
            self._before = done
            self._say(f"going on after iteration {done:,}" if done else "nothing to go on from, the training begins")
            self.meter.announce(READY)
        tenth = 10 * done // self._total + 1 if self._total else 0
        return max(1, -(-tenth * self._total // 10) - done)

    def __call__(self, state: Progress) -> None:
        self._total = state.num_iters
        self._last = state.iteration, time.perf_counter()
        if not self._first[0]:
            self._first = self._last
        self.meter.show(state.iteration, state.num_iters, lambda: self._text(state))
        if state.iteration == state.num_iters:
            self.meter.close()  # what the training has to say at its end begins a line
        self._check()

    def end(self) -> None:
        """The training has ended, maybe before the first call."""
        if self._before is None:
            self._say("the training was over")

    def _say(self, text: str) -> None:
        self.meter.close()  # a line of its own
        self._tell(text)

    @property
    def startup_seconds(self) -> float:
        """Until the first call: most of it goes into compiling, or loading what was compiled before."""
        return self._first[1] - self._start

    @property
    def seconds(self) -> float:
        return self._last[1] - self._start

    @property
    def iterations_per_second(self) -> float:
        """After the start-up; of a training that was over by then, with it."""
        (before, start), (after, end) = self._first, self._last
        if after > before:
            return (after - before) / (end - start)
        own = after - (self._before or 0)
        return own / (end - self._start) if own > 0 else 0.0  # none, of a run that was over when it was resumed

    def _text(self, state: Progress) -> str:
        parts = [f"iteration {state.iteration} / {state.num_iters}: loss {state.loss:.4f}", f"epoch {state.epoch}"]
        # At the end the last epoch's is not the model's: that is among the results.
        if state.val_accuracy is not None and state.iteration < state.num_iters:
            parts.append(f"validation {state.val_accuracy:.3f}")
        if self.meter.moving and self._last > self._first:
            left = (state.num_iters - state.iteration) / self.iterations_per_second
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)


class DownloadProgress:
    """A callback for `fastnet.data.download_cifar10`."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __call__(self, done: int, total: int | None) -> None:
        size = f"/{total / 1e6:.0f}" if total else ""
        self.meter.show(done, total or done + 1, lambda: f"downloaded {done / 1e6:.0f}{size} MB")


def duration(seconds: float) -> str:
    """5 s, 2:05, 1:02:05."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
