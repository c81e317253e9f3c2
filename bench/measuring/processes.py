"""What a process and all that it started take, as Linux accounts for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted behind the name, which may hold spaces itself.
_PARENT, _USER, _SYSTEM = 1, 11, 12


def family(pid: int) -> list[int]:
    """Returns a process and its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_stat(int(path.name))[_PARENT]), []).append(int(path.name))
    members = [pid]
    # Grows while it is walked: children are followed by their own.
    for member in members:
        members += children.get(member, [])
    return members


def cpu_seconds(pid: int) -> float:
    """Returns the processor time of a process and its living descendants, in ticks of 10 ms."""
    ticks = 0
    for member in family(pid):
        with suppress(OSError):
            fields = _stat(member)
            ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks * _TICK


def shared_out_bytes(pid: int) -> int:
    """Returns the memory of a process and its descendants: a page of several counts once in all."""
    kib = 0
    for member in family(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
    return kib << 10


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
