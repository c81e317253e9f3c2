"""Qwen3's tokenizer, cut down to its first few thousand tokens for models small enough for a CPU.

The logits of 151,936 tokens would be nearly all the work of such a model. Byte-level BPE numbers
its tokens in the order of its merges, so what is left after a cut is a tokenizer too: it writes the
same texts with more tokens.
"""

from __future__ import annotations

from typing import Any


def first_tokens(spec: dict[str, Any], size: int) -> dict[str, Any]:
    """Cuts a tokenizer.json down.

    Args:
        spec: Contents of the whole tokenizer.json.
        size: Number of tokens to keep; added tokens follow, with new numbers.
    """
    model = spec["model"]
    vocab = {token: number for token, number in model["vocab"].items() if number < size}
    merges = [merge for merge in model["merges"] if "".join(merge) in vocab]
    added = sorted(spec["added_tokens"], key=lambda token: token["id"])
    numbered = [{**token, "id": size + place} for place, token in enumerate(added)]
    return {**spec, "model": {**model, "vocab": vocab, "merges": merges}, "added_tokens": numbered}
