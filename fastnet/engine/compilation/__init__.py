"""Compilation: what this CPU can do, functions compiled and kept on disk, Numba's parts that make it fast."""
