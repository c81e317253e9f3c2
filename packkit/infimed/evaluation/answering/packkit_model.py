"""Answers of a model of packkit: a run, a checkpoint, or an exported folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packkit.infimed.evaluation.answering.base import Device, Keep, Request
from packkit.infimed.evaluation.answering.batches import answer_in_batches
from packkit.training.checkpoints import find_checkpoint
from packkit.training.generation import Generator, Prompt, Written


class PackkitAnswerer:
    """A model of packkit, run in this process.

    Args:
        path: Run, whose newest checkpoint is taken, checkpoint, or exported folder.
        device: Where the model runs: in bfloat16 on a GPU, in float32 on a CPU.
        max_new_tokens: Tokens that a reply may have.
        batch_size: Requests answered at the same time.

    Raises:
        InputError: The path holds no model.
        CheckpointError: The checkpoint cannot be read.
    """

    backend = "packkit"

    def __init__(
        self,
        path: str | Path,
        *,
        device: Device = "auto",
        max_new_tokens: int,
        batch_size: int,
    ) -> None:
        # Training may go on meanwhile: all answers come from one checkpoint, which results name.
        chosen = find_checkpoint(Path(path)) or Path(path)
        self.model = str(chosen)
        self.max_new_tokens = max_new_tokens
        self._batch_size = batch_size
        self._generator = Generator.load(chosen, device=device)

    def answer_all(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answers every request; see `packkit.infimed.evaluation.answering.Answerer`."""
        answer_in_batches(requests, self._batch_size, self._write, keep)

    def _write(self, batch: Sequence[Request]) -> list[Written]:
        prompts = [self._encode(request) for request in batch]
        return self._generator.generate_batch(prompts, max_new_tokens=self.max_new_tokens)

    def _encode(self, request: Request) -> Prompt:
        with request.naming_errors():
            return self._generator.encode(request.prompt, request.read_images())
