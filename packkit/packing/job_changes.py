"""What differs between two jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson


def changes_between(saved: Any, wanted: Any, place: str = "") -> Iterator[str]:  # noqa: ANN401
    """Yields one line for each place at which two JSON values differ."""
    if isinstance(saved, dict) and isinstance(wanted, dict):
        for key in sorted(saved.keys() | wanted.keys()):
            inner = f"{place}.{key}" if place else key
            if key in saved and key in wanted:
                yield from changes_between(saved[key], wanted[key], inner)
            else:
                yield f"only the job {'before' if key in saved else 'now'} has {inner}"
    elif isinstance(saved, list) and isinstance(wanted, list) and len(saved) == len(wanted):
        for number, (before, after) in enumerate(zip(saved, wanted, strict=True)):
            yield from changes_between(before, after, f"{place}[{number}]")
    elif isinstance(saved, list) and isinstance(wanted, list):
        yield f"{place} were {len(saved)}, now {len(wanted)}"
    elif orjson.dumps(saved) != orjson.dumps(wanted):  # in Python 0 equals False
        yield f"{place} was {saved!r}, now {wanted!r}"
