"""What a long task shows on standard error: one moving line on a terminal, a line at each tenth elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Protocol, TextIO

REDRAW_SECONDS = 0.1


class Meter:
    """The place where progress is shown; `lines=False` keeps it silent where nothing can move."""

    def __init__(self, stream: TextIO, lines: bool = True) -> None:
        self.stream = stream
        self._moving = stream.isatty()
        self._lines = lines
        self._tenth = 0
        self._shown = ""
        self._shown_at = -REDRAW_SECONDS

    def show(self, done: int, total: int, text: Callable[[], str]) -> None:
        """Called as often as the task likes; `text` is called only where it will be seen."""
        if self._moving:
            if (now := time.monotonic()) >= self._shown_at + REDRAW_SECONDS:
                self._shown_at = now
                self._redraw(text())
        elif self._lines and (tenth := 10 * done // total) > self._tenth:
            self._tenth = tenth
            self.stream.write(f"{text()}\n")
            self.stream.flush()

    def close(self) -> None:
        """Leave a clean line to whoever writes next."""
        if self._shown:
            self._redraw("")
            self.stream.write("\r")
            self.stream.flush()

    def _redraw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be overwritten
        self.stream.write(f"\r{text.ljust(len(self._shown))}")
        self.stream.flush()
        self._shown = text


class State(Protocol):
    """The part read here of what `train` hands to its callback."""

    iteration: int
    num_iters: int
    loss: float
    epoch: int
    val_accuracy: float | None


class TrainingProgress:
    """A callback for `train`."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self._val_accuracy: float | None = None
        self._first: tuple[int, float] | None = None

    def __call__(self, state: State) -> None:
        if state.val_accuracy is not None:
            self._val_accuracy = state.val_accuracy
        if self._first is None:
            self._first = state.iteration, time.monotonic()
        self.meter.show(state.iteration, state.num_iters, lambda: self._text(state))

    def _text(self, state: State) -> str:
        parts = [
            f"iteration {state.iteration}/{state.num_iters}",
            f"epoch {state.epoch}",
            f"loss {state.loss:.4f}",
        ]
        if self._val_accuracy is not None:
            parts.append(f"validation {self._val_accuracy:.3f}")
        if (left := self._seconds_left(state)) is not None:
            parts.append(f"{duration(left)} left")
        return "  ".join(parts)

    def _seconds_left(self, state: State) -> float | None:
        """From the speed since the first call: before it came compilation, which does not come again."""
        if self._first is None or state.iteration <= self._first[0]:
            return None
        since, start = self._first
        return (time.monotonic() - start) / (state.iteration - since) * (state.num_iters - state.iteration)


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
