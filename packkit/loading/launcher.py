"""What a launcher says of its processes, held against the group that they really form.

A process that was started with others and trains alone reads every pack that the others read, too.
Nothing else would tell: each of them ends well.
"""

from __future__ import annotations

import os

from packkit.base.errors import InputError

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
