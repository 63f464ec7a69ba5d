"""What fastnet is measured by.

    problem          the work that everyone does, and the reference that everyone is checked against
    contestants      one table: name -> setup(problem) -> train()
    compare          the command: all contestants in one interleaved run
    checked          nobody is timed who does other work
    sweep            another run: sizes from the smallest to the largest, against NumPy, JAX and PyTorch
    figures          and another: workers, prediction, start, memory
    precision        and another: what each matmul_precision costs and gives
    phases           and another: where the time of a step goes
    startup          a process that tells what it paid before it trained
    machine          what ran where: CPU, threads, versions
    report           from results/*/*.json to the README files, by way of `tables` and `picture`
    test_*           pytest-benchmark cases, which the normal test suite runs once each

README.md in this folder says how to run them and how they measure.
"""

import os

# Settings of the environment that make OpenBLAS take another CPU's kernels would handicap NumPy.  OpenBLAS reads them
# when NumPy is imported, which is after this.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
