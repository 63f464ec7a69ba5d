"""Emitting LLVM IR: arrays, cache lines as values, digits, elementary functions, atomics, register tiles."""
