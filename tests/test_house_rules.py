"""Rules of the house that no linter knows.

A rule reads the syntax tree of a file and yields its breaches, `(line, what)`.  Each stands in RULES with
sources that break it and one that comes close and does not: a rule that never fires would pass as well.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 400
REFERENCE_LINES = 400

COMPILERS = {"njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc", "register_jitable"}

Breaches = Iterator[tuple[int, str]]


def imported(tree: ast.Module) -> Breaches:
    """Every module that is imported, at the top or inside a function; relative ones with their dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def imports_of(tree: ast.Module, packages: set[str]) -> Breaches:
    for line, module in imported(tree):
        if module.split(".")[0] in packages:
            yield line, f"imports {module}"


def imports_fastnet(tree: ast.Module) -> Breaches:
    yield from imports_of(tree, {"fastnet"})
    # The other way in: by the folder above.
    yield from ((line, f"imports {module}") for line, module in imported(tree) if module.startswith(".."))


def imports_a_model(tree: ast.Module) -> Breaches:
    """Unless for its annotations."""
    typing = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    annotated = {node.lineno for block in typing for node in ast.walk(block) if isinstance(node, ast.stmt)}
    for line, module in imported(tree):
        if line not in annotated and module in ("fastnet.models", "fastnet.classifier"):
            yield line, f"imports {module}"


def imports_numba(tree: ast.Module) -> Breaches:
    return imports_of(tree, {"numba", "llvmlite"})


def prints(tree: ast.Module) -> Breaches:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "print":
            yield node.lineno, "print"


def changes_the_filters_of_warnings(tree: ast.Module) -> Breaches:
    """They are the process's: two threads that each put back what they found leave what the other one set."""
    for node in ast.walk(tree):
        names = [node.attr] if isinstance(node, ast.Attribute) else []
        if isinstance(node, ast.ImportFrom) and node.module == "warnings":
            names = [alias.name for alias in node.names]
        yield from ((node.lineno, name) for name in names if name in FILTERS)


def compiles(tree: ast.Module) -> Breaches:
    """Numba's own decorators, by whatever name they are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in COMPILERS:
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in COMPILERS)


def kernels(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}
            if decorators & {"kernel", "program"}:
                yield node


FILTERS = {"catch_warnings", "simplefilter", "filterwarnings", "resetwarnings"}
BUSY = {
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.Try: "try",
    ast.List: "a list",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.ListComp: "a list",
    ast.DictComp: "a dictionary",
    ast.SetComp: "a set",
    ast.GeneratorExp: "a generator",
}


def kernels_that_check_or_allocate(tree: ast.Module) -> Breaches:
    """Before a kernel runs, all input has been checked and all memory is there: NumPy has no place in it."""
    for function in kernels(tree):
        for node in (node for statement in function.body for node in ast.walk(statement)):
            if type(node) in BUSY:
                yield node.lineno, f"{BUSY[type(node)]} in {function.name}"
            elif isinstance(node, ast.Name) and node.id in ("np", "numpy"):
                yield node.lineno, f"{node.id} in {function.name}"


def undocumented(tree: ast.Module) -> Breaches:
    """Public functions, classes and methods without a docstring.

    A method may leave it to one of that name elsewhere in the file: the protocol or class that it follows.
    """
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    documented = {node.name for owner in classes for node in functions(owner) if ast.get_docstring(node)}
    for node in [*functions(tree), *classes]:
        if not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.lineno, node.name
    for owner in classes:
        for node in functions(owner):
            if not (owner.name.startswith("_") or node.name.startswith("_") or node.name in documented):
                yield node.lineno, f"{owner.name}.{node.name}"


def functions(owner: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def python_files(*folders: str, without: str = "no folder") -> list[Path]:
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return [file for file in files if not file.is_relative_to(ROOT / without)]


@dataclass(frozen=True)
class Rule:
    """guilty sources break it, each for a reason of its own; the innocent one does not."""

    files: list[Path]
    breaches: Callable[[ast.Module], Breaches]
    guilty: list[str]
    innocent: str


RULES = {
    "the reference imports nothing of fastnet": Rule(
        python_files("reference"),
        imports_fastnet,
        [
            "import fastnet",
            "import numpy, fastnet.data as data",
            "def f():\n    from fastnet.data import spiral",
            "from ..fastnet import data",
            "from .. import fastnet",
        ],
        "import numpy as np\nfrom reference.layers import softmax_loss\nfastnet = None",
    ),
    "only the engine imports numba": Rule(
        python_files("fastnet", without="fastnet/engine"),
        imports_numba,
        ["import numba", "from numba import njit", "def f():\n    import llvmlite.binding as llvm"],
        "import numbers\nfrom fastnet.engine import session\nversions = ('numba', 'llvmlite')",
    ),
    "what writes models imports none": Rule(
        [ROOT / f"fastnet/{name}.py" for name in ("archive", "checkpoints", "digests", "files", "runs")],
        imports_a_model,
        ["from fastnet.models import MODELS", "def f():\n    import fastnet.classifier"],
        "from fastnet import checks\nif TYPE_CHECKING:\n    from fastnet.classifier import Classifier",
    ),
    "fastnet does not print": Rule(
        python_files("fastnet"),
        prints,
        ["print('loss')", "def f(report=print): ..."],
        "import sys\nsys.stdout.write('print(loss)')\npprint = 1",
    ),
    "the filters of warnings are left alone": Rule(
        # A command has the process to itself.
        python_files("fastnet", without="fastnet/cli"),
        changes_the_filters_of_warnings,
        [
            "import warnings\nwith warnings.catch_warnings():\n    f()",
            "import warnings as w\nw.simplefilter('error')",
            "from warnings import filterwarnings as quiet",
        ],
        "import warnings\nfrom warnings import warn\nwarnings.warn('filterwarnings')",
    ),
    "only fastnet/engine/compilation/kernel.py compiles": Rule(
        [file for file in python_files("fastnet") if file != ROOT / "fastnet/engine/compilation/kernel.py"],
        compiles,
        [
            "import numba\n@numba.njit\ndef f(): ...",
            "import numba as nb\nf = nb.jit(nopython=True)(g)",
            "from numba import njit as quick\n@quick\ndef f(): ...",
            "from numba.extending import register_jitable",
        ],
        "from numba.extending import intrinsic, overload\nfrom fastnet.engine.compilation.kernel import kernel\n"
        "@kernel\ndef f(): ...",
    ),
    "kernels neither check nor allocate": Rule(
        python_files("fastnet/engine"),
        kernels_that_check_or_allocate,
        [
            "@kernel\ndef f(a):\n    raise ValueError",
            "@program\ndef f(a):\n    if a:\n        assert a > 0",
            "@kernel\ndef f(n):\n    return np.zeros(n)",
            "@kernel\ndef f(n):\n    return [n]",
            "@program\ndef f(n):\n    return sum(i for i in range(n))",
        ],
        "@kernel\ndef f(a: np.ndarray, n):\n    return a[0], n\ndef g(n):\n    assert n\n    return np.zeros(n)",
    ),
    "public names are documented": Rule(
        [
            file
            for file in python_files("fastnet", without="fastnet/engine")
            if not file.is_relative_to(ROOT / "fastnet/cli")
        ],
        undocumented,
        [
            "def f(): ...",
            "class A: ...",
            "class A:\n    'text'\n    def f(self): ...",
            "class A:\n    'text'\n    @property\n    def f(self): ...\ndef f():\n    'no method'",
        ],
        "def f():\n    'text'\n    def inner(): ...\ndef _g(): ...\nclass _A:\n    def f(self): ...\n"
        "class P:\n    'text'\n    def g(self):\n        'text'\nclass B:\n    'text'\n    def g(self): ...\n"
        "    def __init__(self): ...",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_rule_is_kept(name):
    rule = RULES[name]
    found = [
        f"{file.relative_to(ROOT)}:{line}: {what}"
        for file in rule.files
        for line, what in rule.breaches(ast.parse(file.read_text("utf-8")))
    ]
    assert rule.files
    assert found == []


@pytest.mark.parametrize(("name", "source"), [(name, source) for name in RULES for source in RULES[name].guilty])
def test_rule_finds_a_breach(name, source):
    assert list(RULES[name].breaches(ast.parse(source)))


@pytest.mark.parametrize("name", RULES)
def test_rule_leaves_the_innocent_alone(name):
    assert list(RULES[name].breaches(ast.parse(RULES[name].innocent))) == []


@pytest.mark.parametrize("name", ["phases", "programs"])
def test_the_training_step_is_made_of_kernels(name):
    """Else the rule about kernels would have nothing to look at."""
    tree = ast.parse((ROOT / f"fastnet/engine/step/{name}.py").read_text("utf-8"))
    assert len(list(kernels(tree))) >= 3


def lines(file: Path) -> int:
    return len(file.read_text("utf-8").splitlines())


def too_long(files: list[Path]) -> list[str]:
    return [f"{file.name}: {lines(file)} lines" for file in files if lines(file) > MOST_LINES]


def test_a_file_has_one_subject():
    assert too_long(python_files("fastnet", "reference", "tests", "benchmarks", "docs")) == []


@pytest.mark.parametrize(("count", "found"), [(MOST_LINES, []), (MOST_LINES + 1, ["long.py: 401 lines"])])
def test_a_long_file_is_found(tmp_path, count, found):
    (tmp_path / "long.py").write_text("pass\n" * count)
    assert too_long([tmp_path / "long.py"]) == found


def test_the_reference_stays_readable():
    assert 0 < sum(map(lines, python_files("reference"))) < REFERENCE_LINES
