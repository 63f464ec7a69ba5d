"""What the compilation of kernels takes from Numba, and what it leaves out."""

import numba
from numba.core.compiler import CompilerBase, DefaultPassBuilder

from fastnet.engine import kernel


def test_the_passes_left_out_and_replaced_are_numbas():
    """A renamed one would be left in unnoticed."""
    names = set()

    class Spy(CompilerBase):
        def define_pipelines(self):
            manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
            names.update(step.__name__ for step, _ in manager.passes)
            return [manager]

    numba.njit(pipeline_class=Spy)(lambda: None).compile(())
    assert names >= kernel._NEEDLESS | {"NativeLowering"}
