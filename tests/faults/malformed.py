"""What a malformed input comes to: exact counts and reasons, or a run that says where it failed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One malformed input.

    Attributes:
        name: What is wrong with it.
        files: Bytes of each file below the input folder, the first is what is packed.
        packed: Samples that are packed.
        reason: Reason of the only reject; None where there is none.
        error: What the message says where the run fails; None where it succeeds.
        options: Further words of the command.
        code: Exit code of a run that fails.
    """

    name: str
    files: dict[str, bytes]
    packed: int = 0
    reason: str | None = None
    error: str | None = None
    options: tuple[str, ...] = ()
    code: int = 1
