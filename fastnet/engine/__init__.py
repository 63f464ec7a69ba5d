"""The compiled training step.  `session` is its front door; DESIGN of each part stands at the top of its file.

    session      what the models ask for: Trainer, loss_and_gradients, scores
    programs     what one worker does between two returns to Python
    phases       forward, middle, backward: the loop nests
    tile, lines, elementary     register tiles, cache lines as values, exp and log: the LLVM IR
    rules        update rules, a line at a time
    barrier, workers            how workers meet, and the threads they run on
    memory, cpu, kernel         padded arrays, the CPU's abilities, compilation and its cache

Importing this package does not import Numba; importing `session` does (about half a second).
"""
