"""Every error that packkit raises on purpose.

A refinement also subclasses the builtin it refines, so that code which knows nothing of packkit
still catches it, and carries what its message says as fields:

    PackkitError
      + SampleError(ValueError)           one sample is not legal: reason, detail
          + UnreadError                   bytes that may hold any number of samples: unread
      + LengthError(ValueError)           a length that no bin can hold: index, length, capacity
      + FormatError(ValueError)           a file is not what it should be: path, detail
          + ChecksumError                 the bytes read are not the bytes written
      + InputError(ValueError)            the inputs or options of a run do not make sense
      + FingerprintError(ValueError)      packs were made with another encoder: differences
      + RejectRateError(ValueError)       too many samples rejected: rejected, read, limit
      + SourceChangedError(RuntimeError)  an input changed between the two passes: path, detail
      + OutputExistsError(FileExistsError) the output folder already holds something else: path
      + LockedError(BlockingIOError)      another process holds a lock: path, locked, holder
      + CheckpointError(OSError)          a checkpoint cannot be saved or loaded: path
      + DivergedError(ArithmeticError)    a loss or gradient is not finite: step, loss, grad_norm
      + MissingExtraError(ImportError)    an optional dependency is not installed: extra
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path


class PackkitError(Exception):
    """Base of every error that packkit raises on purpose.

    Attributes:
        is_told: Whether another process of the same run says it, so that this one need not.
    """

    is_told = False


class RejectReason(StrEnum):
    """Why a sample is left out of the packs, as ``rejects.jsonl`` states it."""

    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    INVALID_SAMPLE = "invalid_sample"
    EMPTY_TEXT = "empty_text"
    IMAGE_COUNT = "image_count"
    MISSING_IMAGE = "missing_image"
    UNSAFE_PATH = "unsafe_path"
    INVALID_BASE64 = "invalid_base64"
    INVALID_IMAGE = "invalid_image"
    IMAGE_TOO_LARGE = "image_too_large"
    TRUNCATED_FILE = "truncated_file"
    OVERLONG = "overlong"
    TOO_MANY_IMAGES = "too_many_images"
    NO_TARGETS = "no_targets"
    DUPLICATE_ID = "duplicate_id"
    UNUSED_MEDIA = "unused_media"
    UNUSED_MASK = "unused_mask"
    UNUSED_PROMPT = "unused_prompt"
    UNUSED_TURNS = "unused_turns"
    UNKNOWN_MARKER = "unknown_marker"


class SampleError(PackkitError, ValueError):
    """One sample is not legal.

    Attributes:
        reason: The rule that the sample breaks, as ``rejects.jsonl`` names it.
        detail: What was found instead.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class UnreadError(SampleError):
    """A stretch of a file cannot be read, and nobody can tell how many samples it holds.

    Attributes:
        unread: Number of bytes of the stretch.
    """

    def __init__(self, unread: int, detail: str) -> None:
        super().__init__(RejectReason.TRUNCATED_FILE, detail)
        self.unread = unread


def invalid_sample(detail: str) -> SampleError:
    """Returns the error of a sample or a record of another form than it must have."""
    return SampleError(RejectReason.INVALID_SAMPLE, detail)


class LengthError(PackkitError, ValueError):
    """A length that no bin can hold.

    Attributes:
        index: Position of the length in the array given.
        length: The length itself, tokens.
        capacity: Tokens that a bin can hold.
    """

    def __init__(self, index: int, length: int, capacity: int) -> None:
        super().__init__(f"lengths[{index}] must be in 1..{capacity} tokens, got {length}")
        self.index = index
        self.length = length
        self.capacity = capacity


class FormatError(PackkitError, ValueError):
    """A file is not what it should be.

    Attributes:
        path: The file, with the place inside it where that is known.
        detail: The rule and what was found.
    """

    def __init__(self, path: str | Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = str(path)
        self.detail = detail


class ChecksumError(FormatError):
    """The bytes read are not the bytes that were written."""


class InputError(PackkitError, ValueError):
    """The inputs or options of a run do not make sense together."""


class FingerprintError(PackkitError, ValueError):
    """Packs were made with another encoder than the one at hand.

    Attributes:
        differences: One line for each part of the encoder that differs.
    """

    def __init__(self, message: str, differences: Sequence[str]) -> None:
        super().__init__(f"{message}: {'; '.join(differences)}")
        self.differences = tuple(differences)


class RejectRateError(PackkitError, ValueError):
    """More samples were rejected than the run allows.

    Attributes:
        rejected: Number of samples rejected.
        read: Number of samples read.
        limit: The largest share that may be rejected, in [0, 1].
    """

    def __init__(
        self,
        rejected: int,
        read: int,
        limit: float,
        place: str | Path,
        *,
        rule: str = "max_reject_rate",
    ) -> None:
        super().__init__(
            f"{rejected} of {read} samples rejected, more than {rule} {limit:g}; reasons in {place}"
        )
        self.rejected = rejected
        self.read = read
        self.limit = limit


class SourceChangedError(PackkitError, RuntimeError):
    """An input changed between the two passes of a run.

    Attributes:
        path: The input file.
        detail: Where it changed, and how.
    """

    def __init__(self, path: str | Path, detail: str) -> None:
        super().__init__(f"{path}: changed while it was being packed: {detail}; run again")
        self.path = str(path)
        self.detail = detail


class OutputExistsError(PackkitError, FileExistsError):
    """The output folder already holds something else.

    Attributes:
        path: The output folder.
    """

    def __init__(self, path: str | Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = str(path)


class LockedError(PackkitError, BlockingIOError):
    """Another process holds the lock of something.

    Attributes:
        path: The file that is locked.
        locked: What the file stands for.
        holder: Process that holds the lock, with its number where Linux tells it.
    """

    def __init__(self, path: str | Path, locked: str, holder: str = "another process") -> None:
        super().__init__(f"{path}: {holder} holds the lock of {locked}")
        self.path = str(path)
        self.locked = locked
        self.holder = holder


class CheckpointError(PackkitError, OSError):
    """A checkpoint cannot be saved or loaded; those saved before are as they were.

    Attributes:
        path: Folder of the checkpoint.
    """

    def __init__(self, path: str | Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = str(path)


class DivergedError(PackkitError, ArithmeticError):
    """A loss or a gradient is not finite; the weights were not changed.

    Attributes:
        step: Number of the optimizer step, from 1.
        loss: Mean loss over the targets of the step, nats.
        grad_norm: Norm of all gradients.
    """

    def __init__(self, step: int, loss: float, grad_norm: float, last: str | Path | None) -> None:
        kept = "there is no checkpoint" if last is None else f"the last checkpoint is {last}"
        super().__init__(
            f"step {step}: loss and gradient norm must be finite, got {loss:g} and {grad_norm:g}; "
            f"{kept}"
        )
        self.step = step
        self.loss = loss
        self.grad_norm = grad_norm


class MissingExtraError(PackkitError, ImportError):
    """An optional dependency is not installed.

    Attributes:
        extra: Name of the extra of packkit that installs the dependency.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed: pip install 'packkit[{extra}]'")
        self.extra = extra
