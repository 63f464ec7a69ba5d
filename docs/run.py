"""Runs the code of the manual's pages, and writes what it prints and draws into them.

    python -m docs.run --data DIR docs/tutorial.md docs/spiral.md      # DIR has CIFAR-10

A page's python blocks run in order, in one namespace and one new folder, where `data` is DIR; so do those lines of
its sh blocks that begin with `fastnet`.  A text block right after a block is what that one printed.  A picture on the
page is one that its code saved in the folder, under the same name.  Nothing else writes outputs or pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastnet import cli

DOCS = Path(__file__).parent
FENCED = re.compile(r"^```(python|sh)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"!\[[^]]*]\(pictures/([\w.-]+)\)")
# What code needs whose first line is such a comment, beside fastnet and the extra `docs`.  It runs where that is there:
# two are hundreds of megabytes (the extra `peers`), and the third is a student's own.
NEEDED = {"# PyTorch": "torch", "# Keras": "keras", "# CS231n": "cs231n"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its code and where that begins, and the output shown after it, or None."""

    language: str
    code: str
    line: int
    shown: str | None

    @property
    def runs(self) -> bool:
        """Whether the library that it is of is there."""
        needed = NEEDED.get(self.code.partition("\n")[0])
        return needed is None or importlib.util.find_spec(needed) is not None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are python or sh."""
    text = page.read_text("utf-8")
    return [Block(match[1], match[2], text.count("\n", 0, match.start(2)), match[3]) for match in FENCED.finditer(text)]


def pictures(page: Path) -> list[str]:
    """The names of the pictures on a page."""
    return SHOWN.findall(page.read_text("utf-8"))


def run(page: Path, folder: Path) -> list[str | None]:
    """What each block of a page prints when they are run in a folder; None of those that do not run."""
    found, names = blocks(page), {"__name__": page.stem}
    with contextlib.chdir(folder):
        return [_run(block, page, names) if block.runs else None for block in found]


def _run(block: Block, page: Path, names: dict[str, Any]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
        if block.language == "python":
            exec(compile("\n" * block.line + block.code, page, "exec"), names)
        else:
            for command in re.findall(r"^fastnet .*", block.code, re.MULTILINE):
                if cli.main(shlex.split(command, comments=True)[1:]) != 0:
                    raise RuntimeError(f"{page.name}: {command}: {errors.getvalue()}")
    return output.getvalue()


def renew(page: Path, data: Path) -> None:
    """Run a page, and put its outputs and pictures in the place of those that it shows."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").symlink_to(data.resolve(), target_is_directory=True)
        outputs = iter(run(page, Path(folder)))
        for name in pictures(page):
            shutil.copyfile(Path(folder) / name, DOCS / "pictures" / name)

    def renewed(match: re.Match[str]) -> str:
        output = next(outputs)
        if output is None or match[3] is None:
            return match[0]
        return match[0].removesuffix(f"{match[3]}```") + f"{output}```"

    page.write_text(FENCED.sub(renewed, page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder with CIFAR-10")
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    for page in arguments.pages:
        renew(page, arguments.data)
