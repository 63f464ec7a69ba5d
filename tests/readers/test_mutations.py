"""Damaged files of every format: what they hold, a ValueError or an OSError, and nothing else comes out.

`pytest tests/readers/test_mutations.py --mutations 10000 --mutations-report FILE` damages so many files of each
format, and writes down what became of them.
"""

import platform
import random
from collections import Counter
from pathlib import Path

import pytest

import fastnet
from tests.readers.formats import formats

NUMBERS = [b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff" * 8]
WORDS = [b"9" * 20, b"-1", b"1e999", b"nan", b"null", b"[" * 5000, b'"', b"{", b",", b"\n", b"\r", b"(", b"\x89PNG"]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content with one to four places changed, more often near its ends, where most of the structure is."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        near = min(len(content), 200)
        at = chance.choice(
            (chance.randrange(len(content) + 1), chance.randrange(near + 1), len(content) - chance.randrange(near + 1))
        )
        length = chance.choice((1, 1, 2, 4, 30, 600))
        there, rest = content[at : at + length], content[at + length :]
        match chance.randrange(7):
            case 0 | 1:
                there = (
                    bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 : at + length] if there else b""
                )
            case 2:
                number = chance.choice(NUMBERS)
                there = number + there[len(number) :]
            case 3:
                there = chance.choice(WORDS) + there
            case 4:
                there += there * chance.randrange(1, 5)
            case 5:
                there = chance.randbytes(length)
            case _:
                there, rest = b"", rest if chance.random() < 0.7 else b""
        content = content[:at] + there + rest
    return content


@pytest.fixture(scope="module")
def found(request):
    """What came of each format's files; written down at the end, if a report is wanted."""
    counts = {}
    yield counts
    report = request.config.getoption("mutations_report")
    if report is not None:
        write_report(Path(report), counts, request.config.getoption("mutations"))


NAMES = (
    *("CIFAR-10 binary batch", "CIFAR-10 pickle, protocol 2", "CIFAR-10 pickle, protocol 5"),
    *("CIFAR-10 tar", "CIFAR-10 tar, inside gzip", "gzip", "IDX", "IDX, inside gzip"),
    *(".npz", ".npz, compressed", ".npz, an array", "CSV", "journal"),
    *("model", "model, its header", "checkpoint", "checkpoint, its header", "ONNX", "safetensors"),
)


def test_every_format_is_damaged(tmp_path):
    assert tuple(formats(tmp_path)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_damage_gives_value_errors_and_os_errors_alone(name, tmp_path, request, found):
    form = formats(tmp_path)[name]
    (tmp_path / "mutations").mkdir()
    path = tmp_path / "mutations" / form.name
    path.write_bytes(form.wrap(form.content))
    form.read(path)  # the whole one is read
    counts = found[name] = Counter()
    for seed in range(request.config.getoption("mutations")):
        path.write_bytes(form.wrap(damaged(form.content, random.Random(f"{name} {seed}"))))
        try:
            form.read(path)
            counts["read"] += 1
        except (ValueError, OSError) as error:
            counts[type(error).__name__] += 1
        except BaseException as error:
            error.add_note(f"mutation {seed} of {name}")
            raise
    assert counts["ValueError"] > 0


def write_report(file, counts, mutations):
    kinds = sorted({kind for count in counts.values() for kind in count} - {"read", "ValueError"})
    rows = "".join(
        f"| {name} | {count['read']} | {count['ValueError']} | {''.join(f'{count[kind]} | ' for kind in kinds)}\n"
        for name, count in counts.items()
    )
    file.write_text(
        f"""# {mutations} damaged files of each format

Each a whole file with one to four places changed (bits, numbers, words, pieces repeated, cut out or made up), drawn
with a seed of its own.  *inside gzip*, *an array*, *its header*: changed before it was packed, so that no check sum
helps.  Read means that the damage made no difference to the format: a pixel, a date, a name.  Nothing else came out of
any.

| format | read | ValueError | {"".join(f"{kind} | " for kind in kinds)}
| --- | ---: | ---: | {"---: | " * len(kinds)}
{rows}
fastnet {fastnet.__version__}, {platform.system()}, {platform.machine()}.  Written by
`pytest tests/readers/test_mutations.py -n 0 --mutations {mutations} --mutations-report FILE`.
""",
        "utf-8",
    )
