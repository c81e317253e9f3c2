"""Which rank this process is: what its launcher says, held against the group that really formed.

A process that was started with others and trains alone reads every pack that the others read, too.
Nothing else would tell: each of them ends well.
"""

from __future__ import annotations

import os

import torch.distributed

from packkit.base.errors import InputError
from packkit.base.values import is_whole
from packkit.loading.options import Rank

# Where torchrun, srun, Open MPI and MPICH each state the number of their processes.
_VARIABLES = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def check_launched(world_size: int, remedy: str) -> None:
    """Checks that a launcher has started no more processes than there are ranks.

    Args:
        world_size: Number of ranks in the group of this process.
        remedy: What the user can do, for the message.

    Raises:
        InputError: A variable of the environment states more processes, or no number.
    """
    for name in _VARIABLES:
        value = os.environ.get(name, "1")
        if not value.isdecimal():
            raise InputError(f"the variable {name} must be a number of processes, got {value!r}")
        if int(value) > world_size:
            raise InputError(
                f"the variable {name} says {value} processes, but this one is in a group of "
                f"{world_size}: {remedy}, or unset {name}"
            )


def process_group() -> tuple[int, int] | None:
    """Returns rank and number of ranks of torch.distributed, where that is initialized."""
    distributed = torch.distributed
    is_started = distributed.is_available() and distributed.is_initialized()
    return (distributed.get_rank(), distributed.get_world_size()) if is_started else None


def this_process(rank: Rank | None, world_size: int | None) -> tuple[Rank, int]:
    """Returns rank and number of ranks, as given or as torch.distributed knows them.

    Args:
        rank: Number of this process, or ``all``, which stays as it is.
        world_size: Number of ranks.

    Raises:
        InputError: The two do not go together, or a launcher started processes without a group.
    """
    if rank != "all" and (rank is None) != (world_size is None):
        raise InputError(f"rank and world_size go together, got {rank} and {world_size}")
    if world_size is None:
        if (number_and_size := process_group()) is not None:
            return rank or number_and_size[0], number_and_size[1]
        # Without this, a loader made too early would have every rank read the same packs.
        check_launched(1, "initialize torch.distributed first, give rank and world_size")
        return rank or 0, 1
    if not (rank == "all" or is_whole(rank, 0, world_size - 1)):
        raise InputError(f"rank must be in 0..world_size-1, got {rank} of {world_size}")
    return rank, world_size  # type: ignore[return-value]
