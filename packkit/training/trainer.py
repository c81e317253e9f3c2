"""The training loop: packs to loss, gradients summed over ranks, a step of AdamW, a checkpoint."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
from torch.distributed.tensor import DTensor
from transformers import LlavaForConditionalGeneration

from packkit.base.errors import DivergedError, InputError, LockedError
from packkit.base.lock import FileLock
from packkit.loading import PackBatch, PackLoader
from packkit.training.checkpoint_run import CheckpointInfo
from packkit.training.checkpoints import (
    checkpoint_name,
    load_checkpoint,
    newest_checkpoint,
    save_checkpoint,
)
from packkit.training.counts import StepCounts, count_step
from packkit.training.metrics import MetricsLog, StepMetrics, plot_loss
from packkit.training.model import PackModel
from packkit.training.optimizer import make_optimizer
from packkit.training.parallel import Ranks, shard, start_ranks
from packkit.training.recipe import Recipe
from packkit.training.resume import Resumption, changes_since, keep_changes, starting_point
from packkit.training.weights import check_tokenizer, starting_llava

OnStep = Callable[[StepMetrics, int], None]
OnResume = Callable[[Resumption], None]


def train(
    recipe: Recipe,
    *,
    resume: Literal["auto", "never"] | Path = "auto",
    on_step: OnStep | None = None,
    on_resume: OnResume | None = None,
) -> Path:
    """Trains as a recipe says, on this process or on all that torchrun started.

    Args:
        recipe: Recipe of the run.
        resume: Where to start: ``auto`` is the newest checkpoint of the run, where it has one,
            ``never`` the beginning, a path a checkpoint or another run of the same packs.
        on_step: Called on the first rank with the metrics of each step and the number of steps.
        on_resume: Called on the first rank where the run starts from a checkpoint, with what is
            left to do and which keys of the recipe are others now; ``changes.jsonl`` keeps them.

    Returns:
        Path of the last checkpoint.

    Raises:
        InputError: The recipe does not fit packs, model or ranks, or changes what cannot change
            within a run.
        OutputExistsError: `resume` is ``never`` and the run has checkpoints, or a path and the run
            has later ones.
        FingerprintError: Packs, tokenizer or order are not those of the checkpoint.
        CheckpointError: A checkpoint cannot be written or read.
        DivergedError: A loss or a gradient is not finite; the last checkpoint is from before.
        LockedError: Another process trains in the folder of the run.
    """
    out = Path(recipe.run.out)
    with start_ranks(recipe.run.device) as ranks, _locked(out, ranks):
        start = ranks.together(lambda: starting_point(out, resume))
        changes = ranks.together(lambda: [] if start is None else changes_since(start, recipe))
        trainer = Trainer(recipe, ranks)
        if start is not None:
            trainer.resume(start)
            if ranks.is_first:
                _tell(Resumption(start, trainer.step, trainer.steps, changes), out, on_resume)
        # Every rank computes metrics, since they are sums over ranks; the first writes them.
        with _metrics_log(recipe, trainer.step) if ranks.is_first else nullcontext() as log:
            for metrics in trainer:
                if log is not None:
                    log.write(metrics)
                    if on_step is not None:
                        on_step(metrics, trainer.steps)
        if ranks.is_first:
            plot_loss(out / "metrics.jsonl", out / "loss.png")
    return out / "checkpoints" / checkpoint_name(trainer.step)


@contextmanager
def _locked(out: Path, ranks: Ranks) -> Iterator[None]:
    """Holds the folder of a run for all ranks: two runs would mix their metrics and ledgers.

    Raises:
        LockedError: Another process trains in the folder.
    """
    path, named = out / "lock", f"run {out}"
    lock = ranks.together(
        lambda: FileLock(path, named) if ranks.is_first else None, LockedError(path, named)
    )
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _tell(resumption: Resumption, out: Path, on_resume: OnResume | None) -> None:
    if not resumption.is_finished:
        keep_changes(out, resumption.step, resumption.changes)
    if on_resume is not None:
        on_resume(resumption)


def _metrics_log(recipe: Recipe, step: int) -> MetricsLog:
    return MetricsLog(Path(recipe.run.out), step=step, tensorboard=recipe.run.tensorboard)


class Trainer:
    """A run on one rank; iterating makes the steps that are left.

    Args:
        recipe: Recipe of the run.
        ranks: Processes of the run.

    Attributes:
        step: Number of steps made.
        steps: Number of steps of the whole run.
        model: Model that is trained.
        loader: Loader of the packs of this rank.

    Raises:
        InputError: The recipe does not fit packs, model or ranks.
        FingerprintError: The weights come from a run with another tokenizer.
    """

    def __init__(self, recipe: Recipe, ranks: Ranks) -> None:
        self.recipe, self.ranks = recipe, ranks
        self.dtype = torch.bfloat16 if recipe.run.precision == "bf16" else torch.float32
        self.step = 0
        self._checkpoints = Path(recipe.run.out) / "checkpoints"
        self._micro_steps = ranks.together(lambda: _micro_steps(recipe, ranks.world_size))
        llava = ranks.together(lambda: starting_llava(recipe.model, recipe.run.seed))
        self.config = llava.config
        self.loader = ranks.together(self._make_loader)
        self.encoder = self.loader.dataset.encoder
        ranks.together(lambda: check_tokenizer(recipe.model.weights, self.encoder))
        self.config.image_token_id = self.encoder.image_slot_id
        self._steps_per_epoch = self._count_steps()
        self.steps = recipe.data.epochs * self._steps_per_epoch
        self.model = ranks.together(lambda: self._make_model(llava))
        self.optimizer = make_optimizer(recipe.optimizer, self.model.parameters())

    def resume(self, checkpoint: Path) -> None:
        """Goes on where a checkpoint was saved, on as many ranks or on others.

        Raises:
            FingerprintError: The checkpoint is of other packs, another order or other pixels.
            CheckpointError: The checkpoint cannot be read, or is of another model.
        """
        info = load_checkpoint(
            checkpoint, model=self.model, optimizer=self.optimizer, ranks=self.ranks
        )
        self.ranks.together(lambda: self.loader.load_state_dict(info.loader))
        self.step = info.step
        # Those made and those left, which may be of other sizes.
        left = self.recipe.data.epochs - self.loader.sampler.epoch
        if left > 0:
            left = (left - 1) * self._steps_per_epoch + self._count_steps()
        self.steps = self.step + max(left, 0)

    def __iter__(self) -> Iterator[StepMetrics]:
        """Yields the metrics of every step that is left, and saves checkpoints between them."""
        while self.loader.sampler.epoch < self.recipe.data.epochs:
            batches = iter(self.loader)
            while True:
                started = time.perf_counter()
                group = list(islice(batches, self._micro_steps))
                if not group:
                    break
                yield self._make_step(group, started, time.perf_counter() - started)
                if self.step == self.steps or self.step % self.recipe.run.checkpoint_every == 0:
                    self.save()

    def save(self) -> Path:
        """Saves a checkpoint; all ranks must call it.

        Raises:
            CheckpointError: The checkpoint cannot be written; those before it are as they were.
        """
        recipe = dataclasses.asdict(self.recipe)
        return save_checkpoint(
            self._checkpoints,
            CheckpointInfo(self.step, self.loader.state_dict(), recipe),
            model=self.model,
            optimizer=self.optimizer,
            config=self.config,
            encoder=self.encoder,
            ranks=self.ranks,
            keep=self.recipe.run.keep,
        )

    def _make_step(
        self, batches: Sequence[PackBatch], started: float, waited: float
    ) -> StepMetrics:
        epoch = batches[0].epoch or 0
        counts = self._count(batches, waited)
        loss = torch.zeros((), device=self.ranks.device)
        for batch in batches:
            self.model.check(batch)
            part = self.model(self._moved(batch)) / max(counts.targets, 1)
            part.backward()
            loss += part.detach()
        norm = self._clip()
        (mean,) = self.ranks.sum([float(loss)])
        self.step += 1
        if not math.isfinite(mean) or not math.isfinite(norm):
            error = DivergedError(self.step, mean, norm, newest_checkpoint(self._checkpoints))
            # Sums over the ranks: all of them see the same.
            error.is_told = not self.ranks.is_first
            raise error
        lr = self.recipe.optimizer.lr_at(self.step - 1, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        seconds = time.perf_counter() - started
        return counts.metrics(
            step=self.step, epoch=epoch, loss=mean, lr=lr, grad_norm=norm, seconds=seconds
        )

    def _count_steps(self) -> int:
        """Returns the steps that are left of the epoch in which the loader stands."""
        return math.ceil(len(self.loader) / self._micro_steps)

    def _count(self, batches: Sequence[PackBatch], waited: float) -> StepCounts:
        readers = self.loader.dataset.sets.readers
        return count_step(
            batches,
            self.config,
            image_tokens=self.model.image_tokens,
            capacity=max(reader.capacity for reader in readers),
            waited=waited,
            ranks=self.ranks,
        )

    def _moved(self, batch: PackBatch) -> PackBatch:
        if self.ranks.device.type == "cpu":
            return batch
        return batch.pin_memory().to(self.ranks.device, non_blocking=True)

    def _clip(self) -> float:
        """Scales the gradients down to the largest norm allowed; returns their norm before."""
        limit = self.recipe.optimizer.max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def _make_loader(self) -> PackLoader:
        data, run = self.recipe.data, self.recipe.run
        return PackLoader(
            data.packs,
            data.loader_options(
                packs_per_step=data.micro_packs * self.ranks.world_size,
                seed=run.seed,
                rank=self.ranks.rank,
                world_size=self.ranks.world_size,
                image_size=self.config.vision_config.image_size,
                prefetch=self._micro_steps + 1,
                ledger=Path(run.out) / "ledger",
            ),
        )

    def _make_model(self, llava: LlavaForConditionalGeneration) -> PackModel:
        config = self.recipe.model
        model = PackModel(
            llava,
            image_tokens=config.image_tokens,
            attention=config.attention,
            isolate=config.isolate,
            device=self.ranks.device,
            dtype=self.dtype,
        )
        language = llava.model.language_model.train()
        if config.activation_checkpointing:
            language.activation_checkpointing_enable({"use_reentrant": False})
        shard(model, self.ranks, sharding=self.recipe.run.sharding, dtype=self.dtype)
        return model


def _micro_steps(recipe: Recipe, world_size: int) -> int:
    """Returns how many batches of a rank make a step of the optimizer."""
    data = recipe.data
    packs = data.micro_packs * world_size
    if data.packs_per_step % packs:
        raise InputError(
            f"data.packs_per_step must be a multiple of data.micro_packs x ranks = "
            f"{data.micro_packs} x {world_size}, got {data.packs_per_step}"
        )
    if not recipe.model.isolate and data.micro_packs > 1:
        raise InputError(
            "data.micro_packs must be 1 where model.isolate is false, or packs would see each "
            f"other, got {data.micro_packs}"
        )
    return data.packs_per_step // packs
