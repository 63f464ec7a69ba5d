"""`@kernel` and `@program`: the decorators of compiled functions, and the cache of compiled programs.

Numba's own cache keys a function by the file it stands in, so an edit of any *other* file of the engine
would be missed, and its index file can be torn between two processes.  Here each compiled signature is one
file, named by a digest of everything that shaped it: all sources of the engine, the versions of Python,
Numba and llvmlite, Numba's settings, the options of compilation, the CPU that it was compiled for, the function
and the signature.  It begins with a digest of that name and of what follows, looked at before anything else: a file
that a disk or a copy has damaged, by a single bit, would else be run as machine code.  Anything that is not as it
should be (no folder, no permission, a damaged file) only means compiling again.  So does a folder in which other users
could put a program, and a file that they could have written, while its folder was such a one: whoever knows these
sources knows the digests, too.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import os
import pickle
import stat
import sys
import warnings
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from fastnet import files
from fastnet.engine.compilation.cpu import target

if config.DISABLE_JIT:
    raise ImportError("fastnet's kernels are machine code and cannot be interpreted: unset NUMBA_DISABLE_JIT")

try:
    from fastnet.engine.compilation.compiler import FOR_KERNELS, FOR_PROGRAMS, for_kernels_alone, without_literals
except (ImportError, AttributeError):
    # This Numba lacks a private part that compiles faster: its public interface makes programs of the same bits.
    FOR_KERNELS = FOR_PROGRAMS = {}

    for_kernels_alone = contextlib.nullcontext  # type: ignore[assignment]  # it yields nothing either

    def without_literals(dispatcher: Any) -> None:
        pass


_MEANING: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
KERNEL_OPTIONS = _MEANING | FOR_KERNELS
INLINED_OPTIONS = KERNEL_OPTIONS | {"forceinline": True}


def kernel(function: Any) -> Any:
    """A function for other compiled functions: compiled for each program that uses it, never called alone."""
    return _kernel(function, KERNEL_OPTIONS)


def inlined(function: Any) -> Any:
    """A kernel whose code stands wherever it is called: a long one LLVM would hand a hundred arguments each time."""
    return _kernel(function, INLINED_OPTIONS)


def _kernel(function: Any, options: dict[str, Any]) -> Any:
    dispatcher = numba.njit(**options)(function)
    without_literals(dispatcher)
    return dispatcher


def program(function: Any) -> Any:
    """A function that Python calls: compiled at the first call of a signature and kept on disk."""
    dispatcher = numba.njit(**_MEANING, **FOR_PROGRAMS)(function)
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
        # Numba may import SciPy for it, where there is one, and with it NumPy 2.0's f2py, which asks for a standard
        # error: services and programs with windows have none.
        absent = sys.stderr is None
        stderr = contextlib.redirect_stderr(io.StringIO()) if absent else contextlib.nullcontext()
        with stderr, for_kernels_alone(), _without_collection():
            found = dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments()))
        _compiled[dispatcher, key] = found
    return found


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Python's search for garbage in circles waits: of what a compilation makes hardly any is, and it is a lot."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


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
    versions = f"{sys.version} {numba.__version__} {llvmlite.__version__}"
    digest = hashlib.sha256(f"{versions} {sorted(INLINED_OPTIONS)}".encode())
    for name in ("OPT", "ENABLE_AVX", "BOUNDSCHECK", "DEBUGINFO_DEFAULT"):
        digest.update(f"{name}={getattr(config, name, None)};".encode())
    engine = Path(__file__).parents[1]
    for source in sorted(engine.rglob("*.py")):
        name = source.relative_to(engine).as_posix()
        digest.update(name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    return digest.digest()


# Taken at import, as the sources are: what is edited afterwards is not what this process compiles.
_ENVIRONMENT = _environment_digest()

_DIGEST_BYTES = hashlib.sha256().digest_size
_OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_warned: set[Path] = set()  # of these folders: each program asks for its own


class _ProgramCache(NullCache):
    """One file for each compiled signature of one function (Numba asks its cache by these two methods)."""

    def __init__(self, function: Any) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        own = Path(function.__code__.co_filename).read_bytes()  # the engine's, or a benchmark's or a test's
        self._digest = _ENVIRONMENT + hashlib.sha256(own).digest()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba's own cache refreshes the context first: that imports all that a compilation may need (SciPy, where
        # there is one), and takes half of a warm start.  Here only reference counts need it.
        if FOR_PROGRAMS.get("_nrt", True):
            target_context.refresh()
        # Whatever goes wrong, the answer is to compile.
        with contextlib.suppress(Exception):
            data = _contents(self._file(sig, target_context.codegen()))
            return CompileResult._rebuild(target_context, *pickle.loads(data))
        return None

    def save_overload(self, sig: Any, result: Any) -> None:
        # No home, no permission, a full disk: the program works, it is only compiled anew next time.
        with contextlib.suppress(OSError, RuntimeError):
            _keep(self._file(sig, result.codegen), dumps(result._reduce()))

    def _file(self, sig: Any, codegen: Any) -> Path:
        key = f"{self._name} {sig} {codegen.magic_tuple()}".encode()
        name = hashlib.sha256(self._digest + key).hexdigest()[:40]
        return cache_folder() / f"{name}.kernel"


def once_on_this_machine(name: str, holds: Callable[[], bool]) -> bool:
    """Whether something is true of what is compiled for this machine: once it is, that is kept beside the programs."""
    key = f"{name} {' '.join(target())}".encode()
    file = cache_folder() / f"{hashlib.sha256(_ENVIRONMENT + key).hexdigest()[:40]}.holds"
    with contextlib.suppress(OSError, ValueError):
        return not _contents(file)
    if not holds():
        return False
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        _keep(file, b"")
    return True


def _keep(file: Path, data: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_private(file.parent)
    file.unlink(missing_ok=True)  # what replaces a file has its owner and its permissions
    with files.replacing(file) as out:
        if hasattr(os, "fchmod"):  # the umask may let a group write
            os.fchmod(out.fileno(), os.fstat(out.fileno()).st_mode & ~_OF_OTHERS)
        out.write(_digest(file, data) + data)


def _contents(file: Path) -> memoryview:
    """What was kept there; ValueError where it is anything else, OSError where others may have put it there."""
    _require_private(file.parent)
    with files.open_regular(file) as opened:
        if _of_others(os.fstat(opened.fileno())):
            raise PermissionError(f"{file} may be another user's work")
        found = memoryview(opened.read())
    digest, data = found[:_DIGEST_BYTES], found[_DIGEST_BYTES:]
    if _digest(file, data) != digest:
        raise ValueError(f"{file} is damaged")
    return data


def _require_private(folder: Path) -> None:
    """Raise PermissionError, and warn once, where users but this one and the system's may write to the folder."""
    if not _of_others(os.stat(folder)):
        return
    text = (
        f"{folder} is not used for compiled programs, which takes seconds each time: other users may write to it; "
        "remove it, or empty it and chmod go-w, or name a folder of your own in FASTNET_CACHE_DIR"
    )
    if folder not in _warned:
        _warned.add(folder)
        warnings.warn(text, stacklevel=2)
    raise PermissionError(text)


def _of_others(found: os.stat_result) -> bool:
    """Whether users but this one and the system's may write there; never on Windows: its permissions are no bits."""
    return hasattr(os, "geteuid") and bool(found.st_uid not in (0, os.geteuid()) or found.st_mode & _OF_OTHERS)


def _digest(file: Path, data: bytes | memoryview) -> bytes:
    """Of a file's contents, under this name alone."""
    found = hashlib.sha256(file.name.encode())
    found.update(data)
    return found.digest()
