"""`@kernel` and `@program`: the decorators of compiled functions, and the cache of compiled programs.

Numba's own cache keys a function by the file it stands in, so an edit of any *other* file of the engine
would be missed, and its index file can be torn between two processes.  Here each compiled signature is one
file, named by a digest of everything that shaped it: all sources of the engine, the versions of Python,
Numba and llvmlite, Numba's settings, the CPU that it was compiled for, the function and the signature.
A file is written under another name and renamed, so whatever carries the right name is whole and right;
anything else (no folder, no permission, a damaged file) only means compiling again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
from numba._dynfunc import make_function
from numba.core import config, types
from numba.core.caching import NullCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.serialize import dumps
from numba.core.typed_passes import NativeLowering


class _Library(JITCodeLibrary):
    """Code that is not optimised function by function, as Numba's own is to begin with: a program is as a whole."""

    def _optimize_functions(self, ll_module: Any) -> None:
        pass


class _ProgramLibrary(_Library):
    """The code of a program, optimised once.

    Numba's own is optimised twice, for the sake of reference counts, and searched for loops to vectorise and to
    unroll: here there are no counts, and loops that matter are written in vectors, unrolled.
    """

    def _optimize_final_module(self) -> None:
        options = llvm.create_pipeline_tuning_options()
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
        builder = llvm.create_pass_builder(self._codegen._tm, options)
        builder.getModulePassManager().run(self._final_module, builder)


class _KernelLibrary(_Library):
    """The code of a kernel: LLVM IR that waits to be linked into a program.

    Numba's own would be optimised and turned into machine code as well, at each level of calls.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerProgram(NativeLowering):
    _name = "fastnet_lower_program"

    def run_pass(self, state: Any) -> bool:
        state.library = _ProgramLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerKernel(NativeLowering):
    _name = "fastnet_lower_kernel"

    def run_pass(self, state: Any) -> bool:
        state.library = _KernelLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        # Callers know a function by its entry point; this one, as Numba makes it for a function without
        # wrapper, points nowhere.
        described = state.cr.fndesc
        entry_point = make_function(described.lookup_module(), described.qualname, "", 0, state.cr.env, ())
        state.targetctx.insert_user_function(entry_point, described, [state.library])
        state.cr = state.cr._replace(cfunc=entry_point)
        return True


# For what kernels don't use: `with`, closures, functions inlined as Numba IR, literal arguments, array expressions.
_NEEDLESS = {
    "WithLifting",
    "InlineClosureLikes",
    "RewriteDynamicRaises",
    "MakeFunctionToJitFunction",
    "InlineInlinables",
    "FindLiterallyCalls",
    "LiteralUnroll",
    "LiteralPropagationSubPipelinePass",
    "InlineOverloads",
    "NopythonRewrites",
    "NoPythonSupportedFeatureValidation",
    "DumpParforDiagnostics",
}


def _pipeline(lowering: type[NativeLowering]) -> type[CompilerBase]:
    """Numba's compiler with another last step, and without the needless ones."""

    class Compiler(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
            manager.passes = [
                (lowering if p is NativeLowering else p, text)
                for p, text in manager.passes
                if p.__name__ not in _NEEDLESS
            ]
            manager.finalize()
            return [manager]

    return Compiler


if config.DISABLE_JIT:
    raise ImportError("fastnet's kernels are machine code and cannot be interpreted: unset NUMBA_DISABLE_JIT")

# No reference counts: kernels allocate nothing, and their arrays are kept alive by who calls the program.
_OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
KERNEL_OPTIONS = _OPTIONS | {"no_cpython_wrapper": True, "pipeline_class": _pipeline(_LowerKernel)}


def kernel(function: Any) -> Any:
    """A function for other compiled functions: compiled for each program that uses it, never called alone."""
    dispatcher = numba.njit(**KERNEL_OPTIONS)(function)
    # Numba would compile a function once more for every literal that it is called with.
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: template([types.unliteral(a) for a in args], kws)
    return dispatcher


def program(function: Any) -> Any:
    """A function that Python calls: compiled at the first call of a signature and kept on disk."""
    dispatcher = numba.njit(**_OPTIONS, pipeline_class=_pipeline(_LowerProgram))(function)
    dispatcher._cache = _ProgramCache(function)
    return dispatcher


_compiled: dict[Any, Any] = {}


def compiled_for(dispatcher: Any, key: Hashable, arguments: Callable[[], tuple[Any, ...]]) -> Any:
    """The program compiled for such arguments, to be called with arguments of the same types and no others.

    key says what their types depend on.  Numba's dispatcher looks at the type of every argument of every
    call, which for the engine's nested tuples takes longer than the scores of an image.
    """
    found = _compiled.get((dispatcher, key))
    if found is None:
        found = dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments()))
        _compiled[dispatcher, key] = found
    return found


def cache_folder() -> Path:
    """Where compiled programs are kept: FASTNET_CACHE_DIR, else `fastnet` in the user's cache folder."""
    chosen = os.environ.get("FASTNET_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fastnet"


def _environment_digest() -> bytes:
    """A digest of all that shapes every program alike."""
    digest = hashlib.sha256(f"{sys.version} {numba.__version__} {llvmlite.__version__}".encode())
    for name in ("OPT", "ENABLE_AVX", "BOUNDSCHECK", "DEBUGINFO_DEFAULT"):
        digest.update(f"{name}={getattr(config, name, None)};".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    return digest.digest()


# Taken at import, as the sources are: what is edited afterwards is not what this process compiles.
_ENVIRONMENT = _environment_digest()


class _ProgramCache(NullCache):
    """One file for each compiled signature of one function (Numba asks its cache by these two methods)."""

    def __init__(self, function: Any) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        own = Path(function.__code__.co_filename).read_bytes()  # the engine's, or a benchmark's or a test's
        self._digest = _ENVIRONMENT + hashlib.sha256(own).digest()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba's own cache refreshes the context first: that imports all that a compilation may need (SciPy, where
        # there is one), and takes half of a warm start.
        # A damaged file may raise anything at all; whatever it is, the answer is to compile.
        with contextlib.suppress(Exception):
            data = self._file(sig, target_context.codegen()).read_bytes()
            return CompileResult._rebuild(target_context, *pickle.loads(data))
        return None

    def save_overload(self, sig: Any, result: Any) -> None:
        # No home, no permission, a full disk: the program works, it is only compiled anew next time.
        with contextlib.suppress(OSError, RuntimeError):
            _write_whole(self._file(sig, result.codegen), dumps(result._reduce()))

    def _file(self, sig: Any, codegen: Any) -> Path:
        key = f"{self._name} {sig} {codegen.magic_tuple()}".encode()
        name = hashlib.sha256(self._digest + key).hexdigest()[:40]
        return cache_folder() / f"{name}.kernel"


def _write_whole(file: Path, data: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
    try:
        with open(descriptor, "wb") as out:
            out.write(data)
        os.replace(temporary, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
