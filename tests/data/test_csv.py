"""CSV files: labels become names and numbers, and what is no number is named by column and row."""

import sys
import tracemalloc

import numpy as np
import pytest

from fastnet.data import csv, load_csv, load_csv_rows

TABLE = "age,height,kind\n30,1.5,dog\n4,0.25,cat\n7,1e-3,dog\n2,5,cat\n"


@pytest.fixture
def write(tmp_path):
    def make(text, name="pets.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return make


@pytest.mark.parametrize("label", [None, "kind"])
def test_the_last_column_or_the_one_named_has_the_labels(write, label):
    data = load_csv(write(TABLE), label)
    np.testing.assert_array_equal(data.X_train, [[30, 1.5], [4, 0.25], [7, 1e-3], [2, 5]])
    assert data.X_train.dtype == np.float64
    assert data.y_train.tolist() == [1, 0, 1, 0]
    assert (data.label_names, data.feature_names) == (("cat", "dog"), ("age", "height"))
    assert data.num_classes == 2


def test_a_column_called_label_comes_before_the_last(write):
    data = load_csv(write("label,a\n1,2\n0,3\n1,5\n"))
    assert (data.feature_names, data.y_train.tolist()) == (("a",), [1, 0, 1])


def test_labels_that_are_numbers_stand_in_their_order(write):
    data = load_csv(write("a,label\n1,10\n2,9\n3,10\n4,9\n"))
    assert (data.label_names, data.y_train.tolist()) == (("9", "10"), [1, 0, 1, 0])


def test_a_label_may_be_called_none(write):
    assert load_csv(write("a,label\n1,None\n2,NA\n3,NA\n4,None\n")).label_names == ("NA", "None")


def test_ids_keep_their_digits(write):
    data = load_csv(write("id,on,label\n9007199254740993,True,a\n1760000000,False,b\n"))
    assert data.X_train.tolist() == [[9007199254740993.0, 1], [1760000000, 0]]


def test_columns_and_classes_as_a_model_knows_them(write):
    path = write(TABLE)
    data = load_csv(path, features=["height", "age"], classes=["dog", "cat", "cow"])
    assert data.X_train[0].tolist() == [1.5, 30]
    assert data.y_train.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(load_csv_rows(path, ["height"]), [[1.5], [0.25], [1e-3], [5]])


def test_all_columns_of_rows_without_labels(write):
    assert load_csv_rows(write("a,b\n1,2\n")).tolist() == [[1, 2]]


def test_a_table_of_features_alone_has_no_labels_to_be_read(write):
    with pytest.raises(ValueError, match=r"no column but features \('a', 'b'\), expected one of labels"):
        load_csv(write("a,b\n1,2\n"), features=["a", "b"])


def test_whole_numbers_beside_a_name_are_names(write):
    assert load_csv(write("0,1,kind\n5,6,x\n7,8,x\n9,9,y\n")).feature_names == ("0", "1")


def test_constant_columns_are_told(write):
    with pytest.warns(UserWarning, match=r"pets.csv: nothing can be learned of 'b', 'c': all rows are alike"):
        load_csv(write("a,b,c,label\n1,2,0,x\n2,2,0,y\n"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a readable table"),
        ("a,label\n1,x\n2,y,3\n", "not a readable table.*line 3, saw 3"),
        ("a,label\n1,2,x\n3,4,y\n", "not a readable table"),
        ("a,b,label\n1\n2,3,x,4\n", "not a readable table.*line 3, saw 4"),
        ("a,label\n0,1,x\n1,3,y\n", "not a readable table.*line 2, saw 3"),
        ("a,b,a,label\n1,2,3,x\n4,5,6,y\n", "two columns are called 'a'"),
        ("a,label\n1,1\n2,1.0\n3,0\n4,0\n5,0\n6,1\n", "column 'label' spells one number in two ways, '1', '1.0'"),
        ("a,label\n", "no rows, expected some below the header"),
        ("a;label\n1;x\n", "one column, 'a;label': expected commas"),
        ("5.1,3.5,0\n4.9,3.0,0\n", r"its first line is numbers \('5.1', '3.5', '0'\)"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", r"its first line is numbers \('5.1', '3.5', 'setosa'\)"),
        (",a,label\n0,1,x\n1,2,y\n", r"column 1 has no name.*index=False"),
        ("a,b,label\n1,2,x\n3,,y\n", "column 'b', row 2: missing, expected a finite number"),
        ("a,b,label\n1,2,x\n3,n/a,y\n", "column 'b', row 2: text 'n/a', expected a finite number.* write categories"),
        ("a,b,label\n1,2,x\n3,1_000,y\n", "column 'b', row 2: text '1_000', expected"),
        ("a,b,label\n1,True,x\n3,,y\n", "column 'b', row 2: missing"),
        ("a,b,label\n1,2,x\n3,NA,y\n", "column 'b', row 2: missing"),
        ("a,b,label\n1,2,x\n3,?,y\n", "column 'b', row 2: missing"),
        ("a,b,label\n1,2,x\n3\n", "column 'b', row 2: missing"),
        ("a,b,label\n1,2,x\n3,inf,y\n", "column 'b', row 2: inf, expected a finite number"),
        (
            "city,a,b\nRome,1,4\nOslo,3,4\n",
            r"column 'city', row 1: text 'Rome' \(labels are read from 'b'; .*--label\), expected a finite number",
        ),
        ("a,label\n1,x\n3,\n", "column 'label', row 2: missing, expected a label"),
        ("a,price\n" + "".join(f"{k},{k}.5\n" for k in range(9)), "column 'price' has 9 different labels in 9 rows"),
    ],
)
def test_what_is_wrong_is_named(write, text, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        load_csv(write(text))
    assert "pets.csv: " in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"label": "kinds"}, r"no column 'kinds' \(it has 'age', 'height', 'kind'\); did you mean 'kind'"),
        (
            {"features": ["age", "weight"]},
            "no column 'weight', expected 'age', 'weight'; it has 'age', 'height', 'kind'",
        ),
        ({"classes": ["cat", "cow"]}, "column 'kind', row 1: label 'dog', expected one of 'cat', 'cow'"),
    ],
)
def test_what_does_not_fit_is_named(write, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        load_csv(write(TABLE), **options)


@pytest.mark.parametrize("line", range(2, 6))
@pytest.mark.parametrize("excess", [0, 1])
def test_a_line_that_is_too_long_is_named(write, monkeypatch, line, excess):
    monkeypatch.setattr(csv, "MOST_IN_A_LINE", 50)
    monkeypatch.setattr(csv, "_BLOCK", 8)
    lines = ["a,label", *(f"{k},{'xy'[k % 2]}" for k in range(5))]
    lines[line - 1] = lines[line - 1].rjust(50 + excess)
    path = write("\n".join(lines) + "\n")
    if excess:
        with pytest.raises(ValueError, match=f"pets.csv: not a readable table .its line {line} has over 50 bytes"):
            load_csv(path)
    else:
        assert len(load_csv(path).X_train) == 5


LONG = "x" * 100_000
SHORT = "'x+[.]{3}x+'"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"a,label\n{LONG},y\n", f"column 'a', row 1: text {SHORT}, expected"),
        (f"{LONG},label\nx,y\n", f"column {SHORT}, row 1: text 'x', expected"),
        (f"{LONG},{LONG}\nx,y\n", f"two columns are called {SHORT}, expected"),
        (f"{LONG};\nx\n", "one column, 'x+[.]{3}x+;': expected"),
        (f"a,{LONG}\n1,x\n2,\n", f"column {SHORT}, row 2: missing"),
        (f"a,{LONG}\n" + "".join(f"{k},{k}\n" for k in range(9)), f"column {SHORT} has 9 different labels"),
        (f"a,label\n1,{LONG}\n2,a\n", f"label {SHORT}, expected one of 'a'"),
    ],
)
def test_long_cells_are_shortened(write, text, complaint):
    classes = ["a"] if "one of" in complaint else None
    with pytest.raises(ValueError, match=complaint) as caught:
        load_csv(write(text), classes=classes)
    assert len(str(caught.value)) < 500


def test_many_columns_take_no_more_memory_each(write):
    """A list for each of what is missing took 10 kB."""
    names = [f"column {k}" for k in range(8000)]
    path = write(f"{','.join(names)},label\n" + f"{'1,' * len(names)}a\n" * 2)
    tracemalloc.start()
    try:
        with pytest.warns(UserWarning, match="nothing can be learned of"):
            assert load_csv(path, classes=["a"]).feature_names == tuple(names)
        assert tracemalloc.get_traced_memory()[1] < 4096 * len(names)
    finally:
        tracemalloc.stop()


def test_a_missing_file_and_a_missing_pandas(write, monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError):
        load_csv(tmp_path / "nowhere.csv")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "fastnet-cpu\[table\]"'):
        load_csv(write(TABLE))
