"""Answers of any model that transformers opens as image-text-to-text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, AutoProcessor

from packkit.base.errors import InputError
from packkit.base.values import one_line
from packkit.images.pixels import displayed_image
from packkit.infimed.evaluation.answering.base import Device, Keep, Request
from packkit.infimed.evaluation.answering.batches import answer_in_batches
from packkit.training.generation import Written
from packkit.training.model_folder import check_model_folder


class TransformersAnswerer:
    """A model of transformers, run in this process with its own processor and chat template.

    Args:
        model: Folder or hub id of the model.
        device: Where the model runs: in the type of its weights on a GPU, in float32 on a CPU.
        max_new_tokens: Tokens that a reply may have.
        batch_size: Requests answered at the same time.

    Raises:
        InputError: Model or processor cannot be loaded, or the processor has no chat template.
    """

    backend = "transformers"

    def __init__(
        self,
        model: str,
        *,
        device: Device = "auto",
        max_new_tokens: int,
        batch_size: int,
    ) -> None:
        is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self.model = model
        self.max_new_tokens = max_new_tokens
        self._batch_size = batch_size
        self._processor = _processor(model)
        dtype = "auto" if is_cuda else torch.float32
        loaded = _loaded(AutoModelForImageTextToText, model, dtype=dtype, use_safetensors=True)
        self._llm = loaded.to("cuda" if is_cuda else "cpu").eval()

    def answer_all(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answers every request; see `packkit.infimed.evaluation.answering.Answerer`."""
        answer_in_batches(requests, self._batch_size, self._write, keep)

    @torch.no_grad()
    def _write(self, batch: Sequence[Request]) -> list[Written]:
        inputs = self._processor.apply_chat_template(
            [_conversation(request) for request in batch],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        ).to(self._llm.device, self._llm.dtype)
        ids = self._llm.generate(
            **inputs,
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            num_beams=1,
            # A model may bring its own penalties, and then it does not write the likeliest token.
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
        )
        rows = ids[:, inputs["input_ids"].shape[1] :].tolist()
        return [Written.read(row, self._end_ids, self._decode) for row in rows]

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._processor.decode(ids, skip_special_tokens=True)
        return text

    @property
    def _end_ids(self) -> set[int]:
        ends = self._llm.generation_config.eos_token_id
        return {ends} if isinstance(ends, int) else set(ends or ())


def _processor(model: str) -> Any:  # noqa: ANN401
    processor = _loaded(AutoProcessor, model)
    if getattr(processor, "image_processor", None) is None:
        raise InputError(f"{model}: has no image processor")
    if processor.chat_template is None:
        raise InputError(f"{model}: has no chat template, so it cannot be asked as it was trained")
    # The reply must follow directly on the prompt, in rows of any length.
    processor.tokenizer.padding_side = "left"
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _loaded(kind: Any, model: str, **options: Any) -> Any:  # noqa: ANN401
    """Loads a part of a model, and none of its code.

    Raises:
        InputError: Transformers cannot open the folder, or it names code.
    """
    check_model_folder(model)
    try:
        return kind.from_pretrained(model, trust_remote_code=False, **options)
    # Without torchvision Pillow reads the images; only processors of videos raise ImportError.
    except (OSError, ValueError, ImportError, SafetensorError, StrictDataclassError) as error:
        raise InputError(f"{model}: transformers cannot open it: {one_line(error)}") from error


def _conversation(request: Request) -> list[dict[str, Any]]:
    with request.naming_errors():
        images = [displayed_image(data).convert("RGB") for data in request.read_images()]
    content: list[dict[str, Any]] = [{"type": "image", "image": image} for image in images]
    return [{"role": "user", "content": [*content, {"type": "text", "text": request.prompt}]}]
