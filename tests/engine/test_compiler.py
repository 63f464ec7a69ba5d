"""What the compilation of kernels takes from Numba's private parts, what it leaves out, and how it does without."""

import gc
import subprocess
import sys

import numba
import pytest
from numba.core.compiler import CompilerBase, DefaultPassBuilder

from fastnet.engine.compilation import compiler, kernel
from tests.engine.conftest import ROOT, TWO_LAYER, finish, start


def test_the_passes_left_out_and_replaced_are_numbas():
    """A renamed one would be left in unnoticed."""
    names = set()

    class Spy(CompilerBase):
        def define_pipelines(self):
            manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
            names.update(step.__name__ for step, _ in manager.passes)
            return [manager]

    numba.njit(pipeline_class=Spy)(lambda: None).compile(())
    assert names >= compiler._NEEDLESS | {"NativeLowering"}


# A part is away while the engine is imported, and back when it compiles: this Numba itself cannot do without.
HIDE = """
from {module} import {owner} as owner
hidden = owner.{part}
{how}
from fastnet.engine.compilation import kernel
owner.{part} = hidden
assert kernel.KERNEL_OPTIONS == {{"nogil": True, "error_model": "numpy"}}, kernel.KERNEL_OPTIONS
"""
AWAY = "del owner.{part}"
PARTS = {
    "make_function": ("numba", "_dynfunc", AWAY),
    "JITCodeLibrary": ("numba.core", "codegen", AWAY),
    "get_call_template": ("numba.core.dispatcher", "_DispatcherBase", AWAY),
    "global_compiler_lock": ("numba.core", "compiler_lock", AWAY),
    "define_nopython_pipeline": ("numba.core.compiler", "DefaultPassBuilder", AWAY),
    "PassManager": (
        "numba.core",
        "compiler_machinery",
        "owner.PassManager = lambda name: type('', (), {{'passes': ()}})",
    ),
}


def without(part, folder):
    module, owner, how = PARTS[part]
    hide = HIDE.format(module=module, owner=owner, part=part, how=how.format(part=part))
    return finish(start(TWO_LAYER, before=hide, FASTNET_CACHE_DIR=str(folder)))


@pytest.fixture(scope="module")
def compiled_in_public(tmp_path_factory):
    """A cache of what Numba's public interface compiles, and what the training gave.

    It does not tell which part was away, as the programs are the same: so one compilation serves all cases below.
    """
    folder = tmp_path_factory.mktemp("cache")
    return folder, without("JITCodeLibrary", folder)


def test_compiled_by_the_public_interface_the_bits_are_the_same(compiled_in_public, train, tmp_path):
    _, public = compiled_in_public
    assert (public["hits"], public["misses"]) == (0, 1)
    assert public["digest"] == train(TWO_LAYER, FASTNET_CACHE_DIR=str(tmp_path))["digest"]


@pytest.mark.parametrize("part", PARTS)
def test_the_engine_trains_without_a_private_part_of_numba(part, compiled_in_public):
    folder, public = compiled_in_public
    found = without(part, folder)
    assert (found["hits"], found["digest"]) == (1, public["digest"])


def test_a_compilation_has_a_standard_error_where_the_process_has_none(monkeypatch):
    seen = []

    class Dispatcher:
        def compile(self, signature):
            seen.append(sys.stderr)

    monkeypatch.setattr(sys, "stderr", None)
    kernel.compiled_for(Dispatcher(), "anything", tuple)
    assert hasattr(seen[0], "write")
    assert sys.stderr is None


def test_a_compilation_that_fails_leaves_numba_and_python_as_they_were():
    seen = []

    def hidden():
        return [name for context, name, _ in compiler._INSTEAD if name in vars(context)]

    class Dispatcher:
        def compile(self, signature):
            seen.append((gc.isenabled(), hidden()))
            raise LookupError

    with pytest.raises(LookupError):
        kernel.compiled_for(Dispatcher(), "anything", tuple)
    assert seen == [(False, [name for _, name, _ in compiler._INSTEAD])]
    assert (gc.isenabled(), hidden()) == (True, [])


AFTERWARDS = """
import sys
import numba
import numpy as np
from fastnet.engine.compilation import kernel
from tests.engine.test_units import take, units

tickets = units.new_tickets(1, 1)
assert kernel.compiled_for(take, "tickets", lambda: (tickets, 0, 8, 0, 1))(tickets, 0, 8, 0, 1) == 0
assert "numba.np.linalg" not in sys.modules
assert numba.njit(lambda a: a.sum() + len(str(7)))(np.ones(3)) == 4
"""


def test_numba_knows_of_arrays_and_strings_no_sooner_than_somebody_else_needs_them(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNET_CACHE_DIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", AFTERWARDS], check=True, cwd=ROOT, timeout=600)


BEFORE = """
import numba
import numpy as np

assert numba.njit(lambda a: a.sum() + len(str(7)))(np.ones(3)) == 4
from fastnet.engine.compilation import kernel
from tests.engine.test_units import take, units

tickets = units.new_tickets(1, 1)
assert kernel.compiled_for(take, "tickets", lambda: (tickets, 0, 8, 0, 1))(tickets, 0, 8, 0, 1) == 0
"""


def test_programs_compile_where_numba_has_compiled_something_else_before(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNET_CACHE_DIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", BEFORE], check=True, cwd=ROOT, timeout=600)
