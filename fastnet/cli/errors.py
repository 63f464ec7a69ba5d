"""The ways in which a command ends early and has something to say."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastnet.cli.signals import Signalled, exit_status


class CommandError(Exception):
    """The command cannot be done; the message names the file or option and the mend."""


class Misplaced(CommandError):
    """A result could not be written where it belongs; it is not lost, and the message says where it is."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class Interrupted(Signalled):
    """Ctrl-C, or another signal, in a command that saves files; the message says which."""

    def __init__(self, saved: list[Path], cause: KeyboardInterrupt) -> None:
        super().__init__(exit_status(cause) - 128)
        self.args = (f"interrupted; saved {', '.join(map(str, saved)) or 'nothing'}",)


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the file in a complaint about its content: a model does not know where an array came from."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        raise CommandError(message if str(path) in message else f"{path}: {message}") from error
