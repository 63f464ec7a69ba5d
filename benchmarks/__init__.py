"""What fastnet is measured by: see README.md in this folder.

problem.py        the work that everyone does, and the reference that everyone is checked against
contestants/      one table: name -> setup(problem) -> train()
compare.py        the command: all contestants in one interleaved run, or what it measured before, shown anew
sweep.py          sizes from the smallest to the largest, against NumPy
report.py         from results/*.json to tables and a picture; nobody types a number
machine.py        what ran where: CPU, threads, versions
test_*.py         pytest-benchmark cases, which the normal test suite runs once each
"""
