"""Ranks: processes that train one model together, under torchrun or as one process alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import torch
import torch.distributed as dist
import xxhash
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from packkit.base.errors import InputError, PackkitError
from packkit.loading.launcher import check_launched
from packkit.training.model import PackModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this process.
        world_size: Number of processes.
        device: Device on which this process computes.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes what only one may write."""
        return self.rank == 0

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Returns each number summed over all ranks, which all must call it."""
        # On the CPU, by gloo, so that nothing waits for the device.
        total = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(total)
        summed: list[float] = total.tolist()
        return summed

    def together(self, action: Callable[[], T], elsewhere: PackkitError | None = None) -> T:
        """Returns what an action returns on this rank, once it has succeeded on all of them.

        Args:
            action: What this rank does; all ranks must call this.
            elsewhere: Error to raise where the action failed on another rank alone.

        Raises:
            PackkitError: The action failed on this rank, or `elsewhere`. Where a rank before this
                one says the same, `PackkitError.is_told` is set.
        """
        result, error = None, None
        try:
            result = action()
        except PackkitError as failure:
            error = failure
        # Ranks that did not hear of it would wait for this one.
        codes = [0.0] * self.world_size
        codes[self.rank] = 0.0 if error is None else _code(str(error))
        codes = self.sum(codes)
        if any(codes):
            failed = error or elsewhere or PackkitError("another rank cannot go on")
            failed.is_told = error is None or codes[self.rank] in codes[: self.rank]
            raise failed
        return cast("T", result)

    def wait(self) -> None:
        """Waits for all ranks."""
        dist.barrier()


def _code(text: str) -> float:
    """Returns a positive number that stands for a text, small enough to be exact as a float."""
    return float(1 + xxhash.xxh3_64_intdigest(text.encode()) % (1 << 52))


@contextmanager
def start_ranks(device: Literal["auto", "cpu", "cuda"] = "auto") -> Iterator[Ranks]:
    """Joins the processes that a launcher started, or is the only one; leaves them at the end.

    Args:
        device: Device of each process; ``auto`` is a GPU where there is one.

    Raises:
        InputError: A GPU was asked for and there is none, or a launcher started more processes than
            have found each other.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("run.device must be cpu or auto, got cuda: torch sees no GPU")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    gpu = torch.device(kind, int(os.environ.get("LOCAL_RANK", 0))) if kind == "cuda" else None
    if gpu is not None:
        torch.cuda.set_device(gpu)
    backend = "cpu:gloo,cuda:nccl" if gpu is not None else "gloo"
    # What torchrun sets, and other launchers too.
    if {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        dist.init_process_group(backend)
    else:
        # torch's stubs do not know that this name is public.
        store = dist.HashStore()  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        world_size = dist.get_world_size()
        check_launched(world_size, "launch with torchrun, which names MASTER_ADDR to each")
        yield Ranks(dist.get_rank(), world_size, gpu or torch.device("cpu"))
        # Gloo can abort a rank whose peers still hold their connections to it.
        dist.barrier()
    finally:
        dist.destroy_process_group()


def shard(
    model: PackModel,
    ranks: Ranks,
    *,
    sharding: Literal["full", "none"] = "full",
    dtype: torch.dtype = torch.float32,
) -> None:
    """Spreads a model over the ranks with FSDP2, in place.

    Gradients are summed over ranks and not averaged: the loss of a rank is divided by the targets
    of all. The frozen vision encoder is whole on every rank, so a rank without an image need not
    take part in anything that it would do.

    Args:
        model: Model with master weights in float32.
        ranks: Processes of the run.
        sharding: Whether each rank holds a part of the model, ``full``, or all of it, ``none``.
        dtype: Floating point type in which layers run. Gradients are reduced in float32.
    """
    vision = model.llava.model.vision_tower.to(ranks.device, dtype)
    if sharding == "full":
        mesh = init_device_mesh(ranks.device.type, (ranks.world_size,))
    else:
        mesh = init_device_mesh(
            ranks.device.type, (ranks.world_size, 1), mesh_dim_names=("replicate", "shard")
        )
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in model.llava.model.language_model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy, ignored_params=set(vision.parameters()))
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            # Gloo and old NCCL have no reduction that divides; a sum they all have.
            module.set_force_sum_reduction_for_comms(True)
