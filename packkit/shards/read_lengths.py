"""The lengths of samples alone, for what-if questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packkit.base.errors import FormatError
from packkit.shards.reader import PackReader


def read_lengths(source: str | Path) -> NDArray[np.int64]:
    """Reads lengths from a NumPy file or a pack set.

    Args:
        source: NumPy file (``.npy``) of integers, or whatever `PackReader` opens.

    Returns:
        int [n], tokens of each sample.

    Raises:
        FormatError: The file does not hold positive integers [n].
    """
    if Path(source).suffix != ".npy":
        with PackReader(source) as reader:
            return reader.lengths.astype(np.int64)
    try:
        # Mapped first, which sees that the file has all that its head promises, and then read: a
        # mapped file that is cut short ends the process.
        np.load(source, mmap_mode="r", allow_pickle=False)
        lengths = np.load(source, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(source, f"must be a NumPy file of integers ({error})") from None
    if not isinstance(lengths, np.ndarray):
        raise FormatError(source, "must be a NumPy file of one array, got an archive of several")
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise FormatError(
            source, f"must hold integers [n], got {lengths.dtype} {list(lengths.shape)}"
        )
    if len(lengths) and int(lengths.min()) < 1:
        raise FormatError(source, f"lengths[{int(lengths.argmin())}] must be at least 1 token")
    return lengths
