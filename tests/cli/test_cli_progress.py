"""The moving line and the lines in its place."""

import io
from types import SimpleNamespace

import pytest

from fastnet.cli import progress
from fastnet.cli.progress import DownloadProgress, Meter, TrainingProgress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when the test says so."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock.now)
    return clock


def state(iteration, num_iters=100, loss=2.5, epoch=1, val_accuracy=None):
    return SimpleNamespace(iteration=iteration, num_iters=num_iters, loss=loss, epoch=epoch, val_accuracy=val_accuracy)


def screen(text):
    """What a terminal shows in its last line after receiving the text."""
    line = []
    for part in text.split("\r"):
        line[: len(part)] = part
    return "".join(line).rstrip()


def test_elsewhere_a_line_at_each_tenth():
    stream = io.StringIO()
    report = TrainingProgress(Meter(stream))
    for iteration in range(1, 101):
        report(state(iteration))
    lines = stream.getvalue().splitlines()
    assert [int(line.split()[1]) for line in lines] == list(range(10, 101, 10))
    assert all("left" not in line for line in lines)
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize("total", [1, 7, 100, 1003])
def test_lines_stand_at_the_same_iterations_whenever_it_is_called_besides(total):
    report = TrainingProgress(Meter(io.StringIO()))
    done, called = 0, []
    while done < total:
        done = min(done + report.steps_to_call(done), total)
        called.append(done)
        report(state(done, total))
    tenths = {-(-k * total // 10) for k in range(1, 11)}
    assert {1, *tenths} == set(called)
    assert [int(line.split()[1]) for line in report.meter.stream.getvalue().splitlines()] == sorted(tenths)


def test_the_last_line_has_no_validation_of_an_epoch_before():
    stream = io.StringIO()
    TrainingProgress(Meter(stream))(state(100, val_accuracy=0.25))
    assert stream.getvalue() == "iteration 100 / 100: loss 2.5000, epoch 1\n"


def test_no_lines_where_they_are_not_wanted():
    stream = io.StringIO()
    TrainingProgress(Meter(stream, lines=False))(state(100))
    assert stream.getvalue() == ""


def test_a_terminal_is_told_what_it_waits_for_until_something_moves(clock):
    stream = Terminal()
    report = TrainingProgress(Meter(stream))
    assert "compiled first" in screen(stream.getvalue())
    report(state(10))
    assert screen(stream.getvalue()).startswith("iteration 10 / 100")
    assert "ready" not in screen(stream.getvalue())


def test_the_line_shows_loss_epoch_validation_and_time_left(clock):
    stream = Terminal()
    report = TrainingProgress(Meter(stream))
    clock.now += 1000.0  # compiling: not to be counted
    report(state(10))
    assert "left" not in stream.getvalue()  # one point gives no speed
    clock.now += 20.0
    report(state(20, loss=1.25, epoch=2, val_accuracy=0.25))
    # 10 iterations took 20 s, 80 remain.
    assert screen(stream.getvalue()) == ("iteration 20 / 100: loss 1.2500, epoch 2, validation 0.250, 2:40 left")


def test_speed_is_counted_without_the_start_up(clock):
    report = TrainingProgress(Meter(io.StringIO()))
    clock.now += 7.0
    report(state(1))
    clock.now += 2.0
    report(state(21))
    assert (report.seconds, report.startup_seconds, report.iterations_per_second) == (9.0, 7.0, 10.0)


def test_speed_of_a_training_that_is_over_at_once_is_that_of_all(clock):
    report = TrainingProgress(Meter(io.StringIO()))
    clock.now += 4.0
    report(state(2))
    assert report.iterations_per_second == 0.5


def test_speed_of_a_resumed_training_is_that_of_its_own_iterations(clock):
    report = TrainingProgress(Meter(io.StringIO()))
    assert report.steps_to_call(98) == 1
    clock.now += 4.0
    report(state(100))
    assert report.iterations_per_second == 0.5


def test_the_moving_line_is_redrawn_ten_times_a_second_at_most(clock):
    stream = Terminal()
    report = TrainingProgress(Meter(stream))
    for iteration in range(1, 101):
        clock.now += 0.01
        report(state(iteration, 200))
    assert 9 <= stream.getvalue().count("\r") <= 11


def test_a_shorter_text_leaves_nothing_of_a_longer_one_and_closing_leaves_nothing_at_all(clock):
    stream = Terminal()
    meter = Meter(stream)
    meter.show(1, 10, lambda: "a long text")
    clock.now += 1.0
    meter.show(2, 10, lambda: "short")
    assert screen(stream.getvalue()) == "short"
    meter.close()
    assert screen(stream.getvalue()) == ""
    assert stream.getvalue().endswith("\r")


def test_the_moving_line_never_wraps(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    TrainingProgress(Meter(stream))(state(1))
    assert screen(stream.getvalue()) == "iteration 1 / 100:"


def test_a_download_shows_megabytes_with_and_without_a_known_size(clock):
    stream = Terminal()
    report = DownloadProgress(Meter(stream))
    report(2_000_000, 10_000_000)
    assert screen(stream.getvalue()) == "downloaded 2/10 MB"
    clock.now += 1.0
    report(30_000_000, None)
    assert screen(stream.getvalue()) == "downloaded 30 MB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_line_is_gone_when_a_training_ends(clock):
    stream = Terminal()
    report = TrainingProgress(Meter(stream))
    report(state(50))
    assert screen(stream.getvalue()).startswith("iteration 50 / 100")
    report(state(100))
    assert screen(stream.getvalue()) == ""
