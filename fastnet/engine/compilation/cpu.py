"""What the kernels may ask of this CPU: vector registers, fused multiply-add, cores.

Everything is read from the features that Numba compiles for, never from the CPU's name: a virtual
machine may report a name that does not fit its features.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

LINE_BYTES = 64  # a cache line: the unit in which every kernel counts columns


@dataclass(frozen=True)
class VectorUnit:
    """The vector registers of a CPU.

    width is the bytes of one register, registers their number, fma whether a multiply-add rounds once,
    from_memory whether it may take an operand from memory instead of a register.
    """

    name: str
    width: int
    registers: int
    fma: bool
    from_memory: bool = True

    @property
    def per_line(self) -> int:
        """Registers that one cache line fills."""
        return LINE_BYTES // self.width

    @classmethod
    def of(cls, triple: str, features: frozenset[str]) -> VectorUnit:
        """The widest vector unit among a target's features (LLVM's names, without the sign)."""
        if triple.startswith(("aarch64", "arm64")):
            return cls("NEON", width=16, registers=32, fma=True, from_memory=False)
        if "avx512f" in features:
            return cls("AVX-512", width=64, registers=32, fma=True)
        if "avx" in features:
            return cls("AVX2" if "avx2" in features else "AVX", 32, 16, fma="fma" in features)
        return cls("128-bit", width=16, registers=16, fma="fma" in features)


class Dot(NamedTuple):
    """How a CPU multiplies unsigned bytes by signed digits and adds up neighbours.

    instruction: "vnni" (x86), "usdot" (ARM): four bytes by four bytes; "madd" (AVX2): two 16-bit numbers by two;
    "plain": the last, without an instruction for it; "amx": matrices of bytes, and "vnni" for what is no matrix.
    width is the bytes of its registers, of a row of them.
    """

    instruction: str
    width: int

    @classmethod
    def of(cls, triple: str, features: frozenset[str]) -> Dot:
        """The fastest among a target's features."""
        if triple.startswith(("aarch64", "arm64")):
            return cls("usdot" if "i8mm" in features else "plain", 16)
        if {"amx-tile", "amx-int8", "avx512vnni"} <= features:
            return cls("amx", 64)
        if "avx512vnni" in features:
            return cls("vnni", 64)
        if "avxvnni" in features and "avx512f" not in features:
            return cls("vnni", 32)
        if "avx512bw" in features:
            return cls("madd", 64)
        if "avx2" in features:
            return cls("madd", 32)
        return cls("plain", VectorUnit.of(triple, features).width)


def target() -> tuple[str, str, str]:
    """LLVM's triple, CPU name and feature list that Numba compiles for (NUMBA_CPU_* included)."""
    from numba.core.registry import cpu_target

    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, name, features


@cache
def vector_unit() -> VectorUnit:
    """The vector unit that this process compiles for."""
    return VectorUnit.of(target()[0], _features())


@cache
def dot_unit() -> Dot:
    """How this process multiplies bytes."""
    features = _features()
    if "amx-int8" in features and not _matrix_unit_allowed():
        features -= {"amx-int8"}
    return Dot.of(target()[0], features)


def units() -> str:
    """The vector unit's name, and the matrix unit's where there is one."""
    name = vector_unit().name
    return f"{name} with AMX" if dot_unit().instruction == "amx" else name


ARCH_PRCTL, REQUEST, MATRIX_UNIT = 158, 0x1023, 18  # of Linux on x86-64: "Using XSTATE features in user space"


def _matrix_unit_allowed() -> bool:
    """Ask the system for AMX: for this process, its threads and children.

    It refuses where a thread has a stack for signals on which AMX's registers have no room, and, once it has agreed, to
    set up such small ones.
    """
    if sys.platform != "linux":
        return False
    request = (ctypes.c_long(number) for number in (ARCH_PRCTL, REQUEST, MATRIX_UNIT))
    return bool(ctypes.CDLL(None).syscall(*request) == 0)


def _features() -> frozenset[str]:
    return frozenset(f[1:] for f in target()[2].split(",") if f.startswith("+"))


def usable_cores() -> int:
    """Cores this process may use: affinity and, on Linux, the control group's quota respected."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cgroup_quota()
    return cores if quota is None else max(1, min(cores, int(quota)))


def cores_for_one() -> int:
    """Cores that one training may use: all, but where OMP_NUM_THREADS says so fewer.

    With it users say that each process is to take but a part, and joblib says so to those that it starts.
    """
    text = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # OpenMP has a list, for nested regions
    return min(usable_cores(), int(text)) if text.isdecimal() and int(text) > 0 else usable_cores()


def _cgroup_quota(root: str = "/sys/fs/cgroup") -> float | None:
    """CPUs' worth of time that the control group grants (version 2, then version 1), or None."""
    try:
        with open(f"{root}/cpu.max") as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        try:
            with open(f"{root}/cpu/cpu.cfs_quota_us") as file:
                quota = file.read().strip()
            with open(f"{root}/cpu/cpu.cfs_period_us") as file:
                period = file.read().strip()
        except OSError:
            return None
    if quota in ("max", "-1"):
        return None
    return float(quota) / float(period)


@cache
def _getcpu() -> Callable[[], int]:
    """The C library's sched_getcpu, -1 where there is none."""
    found: Callable[[], int] | None = None
    if sys.platform == "linux":
        found = getattr(ctypes.PyDLL(None), "sched_getcpu", None)  # PyDLL: keeps the interpreter's lock meanwhile
    return found or (lambda: -1)


def current_core() -> int:
    """The number of the core that the calling thread runs on, -1 where the system does not tell."""
    return _getcpu()()


def wake_elsewhere(thread: int) -> set[int] | None:
    """Keep a sleeping thread off the caller's core, where that has others; returns those that it may_use once it runs.

    They are the caller's.  None where the system does not tell, or forbids.

    Linux wakes a thread on the core of the one that wakes it where it does not know that another is idle (a virtual
    machine's sleeping cores look taken), and takes 20 to 40 ms to notice: 200 steps of a small network took 42 ms
    instead of 15.
    """
    core = current_core()
    if core >= 0:
        with contextlib.suppress(OSError):  # forbidden, or just taken away
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(thread, cores - {core} or cores)
            return cores
    return None


def may_use(cores: set[int]) -> None:
    """Let the calling thread run on these cores."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)


def model_name() -> str:
    """The CPU's marketing name where the system tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
