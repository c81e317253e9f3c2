"""Models that answer: a checkpoint of packkit, a model of transformers, or an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from packkit.base.errors import InputError
from packkit.base.pack_options import LARGEST_CAPACITY
from packkit.base.values import check_whole
from packkit.infimed.chat import LARGEST_CONCURRENCY, Address
from packkit.infimed.evaluation.answering.base import Answerer, Device, Keep, Request
from packkit.infimed.evaluation.answering.endpoint import EndpointAnswerer

__all__ = ["AnswerBackend", "Answerer", "Device", "Keep", "Request", "open_answerer"]

AnswerBackend = Literal["auto", "packkit", "transformers", "endpoint"]
"""What runs a model; ``auto`` chooses by the other options."""

LARGEST_BATCH = 4096
"""Answers of a local model at the same time at most: each holds a cache on the device."""

_BATCH_SIZE = 8
_CONCURRENCY = 16


def open_answerer(
    model: str,
    *,
    backend: AnswerBackend = "auto",
    base_url: str | None = None,
    max_new_tokens: int = 1024,
    device: Device = "auto",
    batch_size: int | None = None,
    concurrency: int | None = None,
) -> Answerer:
    """Opens a model to be asked.

    Args:
        model: Run, checkpoint, folder, hub id, or name of a model at an endpoint.
        backend: What runs the model; ``auto`` takes an endpoint where `base_url` is given, packkit
            where `model` is a run, a checkpoint or a folder that packkit exported, and else
            transformers.
        base_url: URL of the endpoint.
        max_new_tokens: Tokens that a reply may have.
        device: Where a model in this process runs; ``auto`` is a GPU, if there is one.
        batch_size: Requests that a model in this process answers at the same time, 8 by default.
        concurrency: Requests on their way to an endpoint at the same time, 16 by default.

    Raises:
        InputError: There is no such model, or options make no sense, alone or together.
        CheckpointError: A checkpoint cannot be read.
        MissingExtraError: A package that the backend needs is not installed.
    """
    check_whole("max_new_tokens", max_new_tokens, 1, LARGEST_CAPACITY)
    if batch_size is not None:
        check_whole("batch_size", batch_size, 1, LARGEST_BATCH)
    if concurrency is not None:
        check_whole("concurrency", concurrency, 1, LARGEST_CONCURRENCY)
    if backend == "auto":
        backend = "endpoint" if base_url is not None else _backend_of(model)
    if backend == "endpoint":
        _check_absent(backend, device=device, batch_size=batch_size)
        return EndpointAnswerer(
            model,
            base_url=base_url,
            max_new_tokens=max_new_tokens,
            concurrency=concurrency or _CONCURRENCY,
        )
    url = None if base_url is None else Address.parse(base_url).url
    _check_absent(backend, base_url=url, concurrency=concurrency)
    size = batch_size or _BATCH_SIZE
    if backend == "packkit":
        from packkit.infimed.evaluation.answering.packkit_model import PackkitAnswerer

        return PackkitAnswerer(model, device=device, max_new_tokens=max_new_tokens, batch_size=size)
    from packkit.infimed.evaluation.answering.transformers_model import TransformersAnswerer

    return TransformersAnswerer(
        model, device=device, max_new_tokens=max_new_tokens, batch_size=size
    )


def _backend_of(model: str) -> Literal["packkit", "transformers"]:
    from packkit.training.checkpoints import find_checkpoint

    path = Path(model)
    # A hub id is owner/name; anything else can only be a path.
    if not path.exists() and (model.count("/") != 1 or model.startswith((".", "/", "~"))):
        raise InputError(f"{model}: no such folder")
    is_packkit = find_checkpoint(path) is not None or (path / "encoder.json").is_file()
    return "packkit" if is_packkit else "transformers"


def _check_absent(backend: str, **options: object) -> None:
    for name, value in options.items():
        if value not in (None, "auto"):
            raise InputError(f"{name} must be left out where the backend is {backend}, got {value}")
