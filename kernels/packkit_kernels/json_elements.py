"""Finds where the elements of JSON arrays stand in a byte stream, without parsing them.

A file that holds one array of many gigabytes, and a pack line that holds many samples, are both
read element by element through byte ranges. The scan follows strings, escapes and brackets only:
one pass, O(bytes), constant memory. It does not check that the text is JSON; whoever parses the
ranges does.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_NESTING, _IN_STRING, _ESCAPED, _IN_ARRAY, _START, _LAST, _IS_OVER, _REST = range(8)

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPEN_ARRAY, _CLOSE_ARRAY, _OPEN_OBJECT, _CLOSE_OBJECT = ord("["), ord("]"), ord("{"), ord("}")


@njit(cache=True, nogil=True)
def _scan(
    buffer: NDArray[np.uint8],
    base: int,
    depth: int,
    state: NDArray[np.int64],
    ranges: NDArray[np.int64],
) -> int:
    """Writes the ranges that close in `buffer`; returns their number."""
    nesting, in_string, escaped = state[_NESTING], state[_IN_STRING], state[_ESCAPED]
    in_array, start, last = state[_IN_ARRAY], state[_START], state[_LAST]
    is_over, rest = state[_IS_OVER], state[_REST]
    count = 0
    for i in range(len(buffer)):
        byte = buffer[i]
        if is_over:
            if byte > 32 and rest < 0:
                rest = base + i
            continue
        if in_string:
            if escaped:
                escaped = 0
            elif byte == _BACKSLASH:
                escaped = 1
            elif byte == _QUOTE:
                in_string = 0
                last = base + i + 1
            continue
        if byte <= 32:
            continue
        closes = byte in (_CLOSE_ARRAY, _CLOSE_OBJECT)
        if nesting == depth and in_array and (byte == _COMMA or closes):
            if start >= 0:
                ranges[count, 0] = start
                ranges[count, 1] = last
                count += 1
                start = -1
        elif nesting == depth and in_array and start < 0:
            start = base + i
        if byte == _QUOTE:
            in_string = 1
        elif byte in (_OPEN_ARRAY, _OPEN_OBJECT):
            nesting += 1
            if nesting == depth:
                in_array = 1 if byte == _OPEN_ARRAY else 0
        elif closes:
            nesting -= 1
            is_over = nesting <= 0
        last = base + i + 1
    state[_NESTING], state[_IN_STRING], state[_ESCAPED] = nesting, in_string, escaped
    state[_IN_ARRAY], state[_START], state[_LAST] = in_array, start, last
    state[_IS_OVER], state[_REST] = is_over, rest
    return count


class ElementScanner:
    r"""Streams a JSON text and yields the byte ranges of the elements of its arrays.

    Args:
        depth: Brackets open around an element: 1 for the elements of a top-level array, 2 for
            those of an array that stands in a top-level object.
        base: Byte offset of the first byte that will be fed.

    >>> ElementScanner(depth=1).feed(b'[{"a": [1, 2]}, "b,]"]').tolist()
    [[1, 14], [16, 21]]
    >>> ElementScanner(depth=2).feed(b'{"data": [{}, {}], "n": 1}').tolist()
    [[10, 12], [14, 16]]
    """

    def __init__(self, *, depth: int, base: int = 0) -> None:
        self._depth = depth
        self._base = base
        self._state: NDArray[np.int64] = np.zeros(8, np.int64)
        self._state[[_START, _REST]] = -1

    def feed(self, data: bytes | memoryview) -> NDArray[np.int64]:
        """Scans the next bytes of the text.

        Returns:
            int64 [elements, 2], start and end offset in bytes of every element that ends here,
            white space around it left out.
        """
        buffer = np.frombuffer(data, np.uint8)
        # Every element but the first costs a comma, and needs a byte of its own.
        ranges = np.empty((len(buffer) // 2 + 1, 2), np.int64)
        count = _scan(buffer, self._base, self._depth, self._state, ranges)
        self._base += len(buffer)
        return ranges[:count].copy()

    @property
    def nesting(self) -> int:
        """Brackets open after the bytes fed so far; 0 once a text is complete."""
        return int(self._state[_NESTING])

    @property
    def is_in_string(self) -> bool:
        """Whether the bytes fed so far end inside a string."""
        return bool(self._state[_IN_STRING])

    @property
    def open_element(self) -> int | None:
        """Byte offset of an element that has begun and not ended, if there is one."""
        start = int(self._state[_START])
        return None if start < 0 else start

    @property
    def rest(self) -> int | None:
        """Byte offset of what follows the text after its last bracket, if anything does."""
        rest = int(self._state[_REST])
        return None if rest < 0 else rest
