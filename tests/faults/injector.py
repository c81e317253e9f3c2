"""Faults at the calls through which Python reaches the file system.

`install` puts a wrapper around each of them, before anything else is imported, and does nothing
more. `arm` makes the wrappers count the calls on files below one folder, and disturbs one of them:
the process dies before it or in the middle of what it writes, an error is raised in its place, or
it reads or writes fewer bytes than it was asked to. Flushes are counted, not made: a killed process
loses nothing that the system has.
"""

import builtins
import ctypes
import errno
import functools
import io
import os
import signal
import threading
from dataclasses import dataclass

# By the path they change, the first of their arguments; `rename` and its like by the second.
_PATH_CALLS = ("unlink", "remove", "rmdir", "mkdir", "truncate", "rename", "replace", "link")
_TWO_PATHS = frozenset({"rename", "replace", "link", "symlink"})
_FILE_CALLS = ("fsync", "fdatasync", "ftruncate", "sendfile", "copy_file_range")
_FLUSHES = frozenset({"fsync", "fdatasync"})
_WRITES, _READS = ("write", "pwrite"), ("read", "pread")
# What packkit asks of the C library itself.
_LIBRARY_CALLS = frozenset({"renameat2", "syscall"})

CHANGE, READ = "change", "read"


@dataclass(frozen=True)
class Fault:
    """What happens at a call.

    Attributes:
        kind: ``kill``, ``tear`` (half of a write, then the kill), ``fail`` or ``short``.
        number: Number of the call, from 0; -1 is every call.
        group: ``change`` or ``read``, the calls that are counted.
        errno: Error that is raised.
        lacks: Name of a call of the C library that the system is to lack.
    """

    kind: str
    number: int
    group: str = CHANGE
    errno: int = 0
    lacks: str = ""


@dataclass(frozen=True)
class Call:
    """A call that was counted.

    Attributes:
        name: Name of the function.
        path: Path of the file, relative to the folder.
        group: ``change`` or ``read``.
    """

    name: str
    path: str
    group: str


class _State:
    root: str | None = None
    fault: Fault | None = None
    calls: list[Call] | None = None
    counts: dict[str, int] | None = None
    lock = threading.Lock()


_real = {name: getattr(os, name) for name in (*_PATH_CALLS, *_FILE_CALLS, *_WRITES, *_READS)}
_real.update(open=os.open, symlink=os.symlink)
_real_open = io.open
_RealLibrary = ctypes.CDLL


def arm(root, fault=None):
    """Counts the calls on files below a folder from now on; returns the list that they go to."""
    _State.root, _State.fault = os.path.realpath(root), fault
    _State.calls, _State.counts = [], {CHANGE: 0, READ: 0}
    return _State.calls


def disarm():
    """Counts no more."""
    _State.root = None


def _path_of(target, folder=None):
    """The path of a name or a descriptor."""
    if isinstance(target, int):
        return os.readlink(f"/proc/self/fd/{target}")
    path = os.fsdecode(target)
    if not os.path.isabs(path):
        path = os.path.join(os.getcwd() if folder is None else _path_of(folder), path)
    return os.path.normpath(path)


def _reached(name, group, target, folder=None):
    """Counts a call and returns the fault that hits it, if one does; kills before the call."""
    if _State.root is None:
        return None
    try:
        path = _path_of(target, folder)
    except (OSError, TypeError):
        return None
    if not path.startswith(_State.root + "/"):
        return None
    with _State.lock:
        number = _State.counts[group]
        _State.counts[group] += 1
        _State.calls.append(Call(name, path[len(_State.root) + 1 :], group))
    fault = _State.fault
    if fault is None or fault.group != group or fault.number not in (number, -1):
        return None
    if fault.kind == "kill":
        _die()
    if fault.kind == "fail":
        # As the system does it: no name for a descriptor.
        names = () if isinstance(target, int) else (os.fsdecode(target),)
        raise OSError(fault.errno, os.strerror(fault.errno), *names)
    return fault


def _die():
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def _half(data):
    view = memoryview(data).cast("B")
    return view[: max(1, len(view) // 2)]


def _write(name, target, data, real_write):
    """A write that may be cut short or torn."""
    fault = _reached(name, CHANGE, target)
    if fault is None or not len(data):
        return real_write(data)
    written = real_write(_half(data))
    if fault.kind == "tear":
        _die()
    return written


def _wrap_path_call(name):
    real = _real[name]

    @functools.wraps(real)
    def call(*arguments, **options):
        target = arguments[1] if name in _TWO_PATHS else arguments[0]
        folder = options.get("dst_dir_fd") if name in _TWO_PATHS else options.get("dir_fd")
        _reached(name, CHANGE, target, folder)
        return real(*arguments, **options)

    return call


def _wrap_file_call(name):
    real = _real[name]

    @functools.wraps(real)
    def call(descriptor, *arguments, **options):
        _reached(name, CHANGE, descriptor)
        if name in _FLUSHES and _State.root is not None:
            return None
        return real(descriptor, *arguments, **options)

    return call


def _wrap_write(name):
    real = _real[name]

    @functools.wraps(real)
    def call(descriptor, data, *place):
        return _write(name, descriptor, data, lambda part: real(descriptor, part, *place))

    return call


def _wrap_read(name):
    real = _real[name]

    @functools.wraps(real)
    def call(descriptor, size, *place):
        fault = _reached(name, READ, descriptor)
        return real(descriptor, max(1, size // 2) if fault and size else size, *place)

    return call


@functools.wraps(os.open)
def _os_open(path, flags, mode=0o777, *, dir_fd=None):
    if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR | os.O_TRUNC):
        _reached("open", CHANGE, path, dir_fd)
    return _real["open"](path, flags, mode, dir_fd=dir_fd)


class _RawFile(io.FileIO):
    """A file whose reads and writes are counted; buffers on top of it are Python's own."""

    def write(self, data):
        return _write("write", self.fileno(), data, super().write)

    def truncate(self, size=None):
        _reached("truncate", CHANGE, self.fileno())
        return super().truncate(size)

    def readinto(self, buffer):
        fault = _reached("read", READ, self.fileno())
        return super().readinto(_half(buffer) if fault and len(buffer) else buffer)

    def read(self, size=-1):
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    readall = io.RawIOBase.readall


def _is_below_root(file):
    try:
        return _path_of(file).startswith(_State.root + "/")
    except (OSError, TypeError):
        return False


@functools.wraps(io.open)
def _io_open(
    file,
    mode="r",
    buffering=-1,
    encoding=None,
    errors=None,
    newline=None,
    closefd=True,
    opener=None,
):
    if _State.root is None or not _is_below_root(file):
        return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    kind = mode.replace("t", "").replace("b", "")
    if set(kind) & set("wax+") and not isinstance(file, int):
        _reached("open", CHANGE, file)
    raw = _RawFile(file, kind, closefd, opener)
    if buffering == 0:
        return raw
    if "+" in kind:
        buffered = io.BufferedRandom(raw)
    else:
        buffered = io.BufferedReader(raw) if kind == "r" else io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


class _Library(_RealLibrary):
    """A C library whose calls on paths are counted."""

    def __getitem__(self, name):
        function = super().__getitem__(name)
        return _LibraryCall(name, function) if name in _LIBRARY_CALLS else function


class _LibraryCall:
    def __init__(self, name, function):
        self.__dict__.update(_name=name, _function=function)

    def __setattr__(self, name, value):
        setattr(self._function, name, value)

    def __call__(self, *arguments):
        paths = [getattr(value, "value", value) for value in arguments]
        paths = [path for path in paths if isinstance(path, bytes | str)]
        if _State.root is not None and _State.fault and _State.fault.lacks == self._name:
            ctypes.set_errno(errno.ENOSYS)
            return -1
        if paths:
            try:
                _reached(self._name, CHANGE, paths[-1])
            except OSError as error:
                ctypes.set_errno(error.errno)
                return -1
        return self._function(*arguments)


def install():
    """Puts the wrappers in place, once, before other modules take the functions."""
    wrapped = {name: _wrap_path_call(name) for name in (*_PATH_CALLS, "symlink")}
    wrapped |= {name: _wrap_file_call(name) for name in _FILE_CALLS}
    wrapped |= {name: _wrap_write(name) for name in _WRITES}
    wrapped |= {name: _wrap_read(name) for name in _READS}
    wrapped["open"] = _os_open
    for name, function in wrapped.items():
        for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if _real[name] in known:
                known.add(function)
        setattr(os, name, function)
    builtins.open = io.open = _io_open
    ctypes.CDLL = _Library
