"""Tables of numbers with a header (CSV files), of which one column has the labels.  Needs pandas."""

from __future__ import annotations

import difflib
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from reprlib import Repr
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.data.dataset import Dataset
from fastnet.files import damage_told, named, open_regular

MISSING_PANDAS = 'reading CSV files needs pandas: pip install "fastnet-cpu[table]"'
MOST_COLUMNS, MOST_IN_A_LINE = 100_000, 1 << 22  # pandas takes 3 kB for each
_BLOCK = 1 << 20  # bytes, less than a line may have: none that lies within one is too long
LABEL = "label"  # the column that is taken for the labels without a word; where there is none, the last
MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "?")  # of a number; a label may be called so

_quotation = Repr()
_quotation.maxstring = 80  # letters of a cell, or of a column's name, in a message


def load_csv(
    file: str | os.PathLike[str],
    label: str | None = None,
    *,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Load a CSV file with a header line, a column of labels and otherwise columns of numbers.

    Parameters
    ----------
    file : path
    label : str, optional
        The column of the labels, text or numbers; default `label`, or the last column where there is none.
    features : sequence of str, optional
        The columns to read as features, in this order; default all but the labels, as they come.
    classes : sequence of str, optional
        The names of the classes, in the order of their numbers; default all labels of the file, in order of size where
        they are numbers and of the alphabet where not.

    Returns
    -------
    Dataset
        X_train float64, y_train the index of each label in label_names; feature_names are the columns' names.

    Raises
    ------
    ValueError
        If the file is no such table; for a number that is missing, and for text in its place, with column and row
        (rows count from 1 below the header); for labels that are not in classes, and for as many labels as rows.
    OSError
        If it is no regular file, cannot be read, or memory is too small for it.
    ImportError
        Without pandas.

    Warns
    -----
    UserWarning
        Of columns that hold the same number in all rows.
    """
    path = named(file)
    columns = _header(path)
    guessed = label is None and LABEL not in columns
    label = _label(path, columns, label)
    names = [name for name in columns if name != label] if features is None else checks.texts("features", features)
    if guessed and label in names:
        raise ValueError(
            f"{path}: no column but features ({_quoted(columns)}), expected one of labels: name it (--label)"
        )
    known = None if classes is None else checks.texts("classes", classes)
    table = _read(path, columns, names, label)
    X = _numbers(path, table, names, label if guessed else None)
    if features is None:
        constant = [name for name, column in zip(names, X.T, strict=True) if (column == column[0]).all()]
        if constant:
            warnings.warn(f"{path}: nothing can be learned of {_quoted(constant)}: all rows are alike", stacklevel=2)
    texts = _texts(path, table, label)
    found = _sorted(set(texts))
    values = [_number(text) for text in found]
    twice = next((k for k in range(1, len(found)) if values[k - 1] == values[k]), None)  # nan is unlike itself
    where = f"{path}: column {_short(label)}"
    if twice is not None:
        raise ValueError(
            f"{where} spells one number in two ways, {_quoted(found[twice - 1 : twice + 1])}: "
            "expected the same label in the same letters"
        )
    if known is None and len(found) > max(2, len(texts) // 2):
        raise ValueError(
            f"{where} has {len(found)} different labels in {len(texts)} rows: "
            "expected classes of several rows each; is another column the labels'?"
        )
    order = {name: k for k, name in enumerate(found if known is None else known)}
    strange = next((row for row, text in enumerate(texts) if text not in order), None)
    if strange is not None:
        raise ValueError(
            f"{where}, row {strange + 1}: label {_short(texts[strange])}, expected one of {_quoted(order)}"
        )
    y = np.array([order[text] for text in texts], np.int64)
    return Dataset(X, y, label_names=tuple(order), feature_names=tuple(names))


def load_csv_rows(file: str | os.PathLike[str], features: Sequence[str] | None = None) -> NDArray[np.float64]:
    """The numbers of a CSV file with a header line.

    Parameters
    ----------
    file : of the table
    features : names of the columns to read, or None (default) for all

    Returns
    -------
    float64 array (N, D)

    Raises
    ------
    ImportError, OSError, ValueError
        As load_csv does.
    """
    path = named(file)
    columns = _header(path)
    names = columns if features is None else checks.texts("features", features)
    return _numbers(path, _read(path, columns, names), names)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(MISSING_PANDAS) from error
    return pandas


def _header(path: Path) -> list[str]:
    # As rows: of a header pandas would rename what stands there twice.  Two of them: one longer than that before is
    # refused, but the first below a header may be of any length, and would be cut with no more than a warning.
    columns = [str(name) for name in _parsed(path, nrows=2, header=None, dtype=str, keep_default_na=False).iloc[0]]
    if len(columns) == 1 and any(sign in columns[0] for sign in ";\t"):
        raise ValueError(f"{path}: one column, {_short(columns[0])}: expected commas between the columns")
    numbers = [name for name in columns if np.isfinite(_number(name))]
    # Text among them may be a label's.  Whole numbers beside a name are names: pixels are called so.
    if len(numbers) == len(columns) or (len(numbers) == len(columns) - 1 and any("." in name for name in numbers)):
        raise ValueError(f"{path}: its first line is numbers ({_quoted(columns)}): expected the columns' names there")
    seen: set[str] = set()
    for k, name in enumerate(columns):
        if not name:
            raise ValueError(
                f"{path}: column {k + 1} has no name: expected one for each; "
                "row numbers are no feature (pandas leaves them out with to_csv(index=False))"
            )
        if name in seen:
            raise ValueError(f"{path}: two columns are called {_short(name)}, expected a name of its own for each")
        seen.add(name)
    return columns


def _parsed(path: Path, **options: Any) -> Any:
    pandas = _pandas()
    with open_regular(path) as file, damage_told(path, "a readable table"):
        first = file.readline(MOST_IN_A_LINE + 1)
        if len(first) > MOST_IN_A_LINE or first.count(b",") >= MOST_COLUMNS:
            raise ValueError(f"its first line has over {MOST_COLUMNS:,} columns, or {MOST_IN_A_LINE:,} bytes")
        _require_lines(file)
        file.seek(0)
        return pandas.read_csv(file, skipinitialspace=True, index_col=False, low_memory=False, **options)


def _require_lines(file: BinaryIO) -> None:
    """Raise ValueError for a line that is too long, from here on: pandas takes nine bytes for each of its commas."""
    number, length = 2, 0
    while block := file.read(_BLOCK):
        end = block.find(b"\n")
        if length + (len(block) if end < 0 else end) > MOST_IN_A_LINE:
            raise ValueError(f"its line {number} has over {MOST_IN_A_LINE:,} bytes")
        length = length + len(block) if end < 0 else len(block) - 1 - block.rfind(b"\n")
        number += block.count(b"\n")


def _read(path: Path, columns: list[str], names: list[str], label: str | None = None) -> Any:
    known = set(columns)
    for name in names:
        if name not in known:
            raise ValueError(f"{path}: no column {_short(name)}, expected {_quoted(names)}; it has {_quoted(columns)}")
    # What is missing of the numbers stays text: a list of it for each of many columns takes pandas minutes.
    own = {"na_values": {label: [""]}, "dtype": {label: str}} if label is not None else {}
    table = _parsed(path, keep_default_na=False, **own)
    if not len(table):
        raise ValueError(f"{path}: no rows, expected some below the header")
    return table


def _label(path: Path, columns: list[str], label: str | None) -> str:
    if label is None:
        return LABEL if LABEL in columns else columns[-1]
    if not isinstance(label, str):
        raise ValueError(f"label is {label!r}, expected the name of a column, or None")
    if label not in columns:
        near = "".join(f"; did you mean {_short(name)}?" for name in difflib.get_close_matches(label, columns, n=1))
        raise ValueError(f"{path}: no column {_short(label)} (it has {_quoted(columns)}){near}")
    return label


def _numbers(path: Path, table: Any, names: list[str], guess: str | None = None) -> NDArray[np.float64]:
    """The columns named, as numbers; ValueError for the first that is none: the labels', where guess was wrong."""
    for name in names:
        column = table[name]
        plain = column.dtype.kind in "buif"
        values = np.asarray(column, np.float64) if plain else np.array([_number(value) for value in column])
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad) or not plain:
            missing = np.flatnonzero(column.isin(MISSING))
            row = int((*missing[:1], *bad[:1], 0)[0])
            found = column.iloc[row]
            text = isinstance(found, str) and not len(missing)
            what = f"text {_short(found)}" if text else "missing" if len(missing) else f"{found}"
            if text and guess is not None:
                what += f" (labels are read from {_short(guess)}; if they are here, name this column: --label)"
            raise ValueError(
                f"{path}: column {_short(name)}, row {row + 1}: {what}, expected a finite number: "
                "fill it in, write categories as numbers, or leave the row or the column out"
            )
    return np.ascontiguousarray(table[names].to_numpy(np.float64))


def _texts(path: Path, table: Any, label: str) -> list[str]:
    missing = np.flatnonzero(table[label].isna())
    if len(missing):
        raise ValueError(f"{path}: column {_short(label)}, row {missing[0] + 1}: missing, expected a label")
    return [str(text) for text in table[label]]


def _sorted(texts: set[str]) -> list[str]:
    numbers = {text: _number(text) for text in texts}
    numeric = np.isfinite(list(numbers.values())).all()
    return sorted(texts, key=lambda text: (numbers[text] if numeric else 0.0, text))


def _number(value: Any) -> float:
    """A number or its text as a float; nan for anything else."""
    try:
        return math.nan if "_" in str(value) else float(value)  # Python reads 1_000, pandas does not
    except (TypeError, ValueError):
        return math.nan


def _short(text: str) -> str:
    """A text in quotes, without its middle where it is long: a cell may be a whole file, after a quote too many."""
    return _quotation.repr(text)


def _quoted(names: Any) -> str:
    """'a', 'b' and so on, the first twenty."""
    names = list(names)
    return ", ".join(map(_short, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
