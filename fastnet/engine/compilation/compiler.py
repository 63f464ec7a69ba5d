"""How kernels and programs are compiled four times as fast: by parts of Numba that are not its public interface.

Another Numba may lack one of them.  Then the import of this file fails, and kernel.py compiles without it: more
slowly, to the same bits.  So whatever is used here is asked for when the file is imported.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba._dynfunc import make_function
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.typed_passes import NativeLowering

_default_passes = DefaultPassBuilder.define_nopython_pipeline
_call_template = Dispatcher.get_call_template
if not isinstance(PassManager("none").passes, list):
    raise ImportError("the passes of a pipeline are no list")


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
