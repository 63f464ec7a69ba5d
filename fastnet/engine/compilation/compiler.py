"""How kernels and programs are compiled four times as fast: by parts of Numba that are not its public interface.

Another Numba may lack one of them.  Then the import of this file fails, and kernel.py compiles without it: more
slowly, to the same bits.  So whatever is used here is asked for when the file is imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from numba._dynfunc import make_function
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.typed_passes import NativeLowering
from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401  what kernels are written in

from fastnet.engine.compilation.native import optimise

_default_passes = DefaultPassBuilder.define_nopython_pipeline
_call_template = Dispatcher.get_call_template
_target, _typing = cpu_target.target_context, cpu_target.typing_context
if not isinstance(PassManager("none").passes, list):
    raise ImportError("the passes of a pipeline are no list")


def _nothing(*arguments: Any) -> None:
    pass


def _known(context: Any) -> Callable[[], None]:
    """Look for later declarations where a context has found some: an intrinsic's may be in any of these places."""
    places = context._registries

    def look() -> None:
        for place in list(places):
            context.install_registry(place)

    return look


# What Numba does for each function, and what is done instead.  Kernels have no use for declarations of arrays, strings
# and SciPy (to import these took a tenth of a first training), if nobody else has had them loaded; nor for the code
# that counts references; and the size of a type, for debuggers, is asked of LLVM for every variable.
_INSTEAD = (
    (_target, "load_additional_registries", _known(_target)),
    (_typing, "load_additional_registries", _known(_typing)),
    (_target, "post_lowering", _nothing),
    (_target, "get_abi_sizeof", cache(_target.get_abi_sizeof)),
)


@contextlib.contextmanager
def for_kernels_alone() -> Iterator[None]:
    """Have Numba compile for kernels alone; other threads that want it wait."""
    with global_compiler_lock:
        try:
            for context, name, instead in _INSTEAD:
                setattr(context, name, instead)
            yield
        finally:
            for context, name, _ in _INSTEAD:
                vars(context).pop(name, None)


class _Library(JITCodeLibrary):
    """Code that is not optimised function by function, as Numba's own is to begin with: a program is as a whole."""

    def _optimize_functions(self, ll_module: Any) -> None:
        pass


class _ProgramLibrary(_Library):
    """The code of a program and of all kernels below it, linked and optimised once.

    Numba's own is optimised twice, for the sake of reference counts: here there are none.
    """

    def finalize(self) -> None:
        for library in self._linking_libraries:  # which grows meanwhile
            if isinstance(library, _KernelLibrary):
                self._linking_libraries += [n for n in library._linking_libraries if n not in self._linking_libraries]
        super().finalize()

    def _optimize_final_module(self) -> None:
        optimise(self._final_module, self._codegen._tm)


class _KernelLibrary(_Library):
    """The code of a kernel: LLVM IR that waits to be linked into a program.

    Numba's own would be linked with what it calls, optimised and turned into machine code at each level of calls.
    """

    def finalize(self) -> None:
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


# For what kernels don't use: `with`, closures, functions inlined as Numba IR, literal arguments, array expressions,
# variables of several types, the end of a variable's life.
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
    "ReconstructSSA",
    "PreLowerStripPhis",
    "IRLegalization",
}


def _pipeline(lowering: type[NativeLowering]) -> type[CompilerBase]:
    """Numba's compiler with another last step, and without the needless ones."""

    class Compiler(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            manager = _default_passes(self.state)
            manager.passes = [
                (lowering if p is NativeLowering else p, text)
                for p, text in manager.passes
                if p.__name__ not in _NEEDLESS
            ]
            manager.finalize()
            return [manager]

    return Compiler


# No reference counts: kernels allocate nothing, and their arrays are kept alive by who calls the program.
_BARE: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True}
FOR_PROGRAMS = _BARE | {"pipeline_class": _pipeline(_LowerProgram)}
FOR_KERNELS = _BARE | {"no_cpython_wrapper": True, "pipeline_class": _pipeline(_LowerKernel)}


def without_literals(dispatcher: Any) -> None:
    """Keep Numba from compiling a function once more for every literal that it is called with."""

    def template(args: Any, kws: Any) -> Any:
        return _call_template(dispatcher, [types.unliteral(a) for a in args], kws)

    dispatcher.get_call_template = template
