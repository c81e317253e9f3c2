"""The tokenizer as packing uses it: text is text, and two that behave alike have one hash.

Text is encoded by a copy of the tokenizer without its added tokens, so nothing in it can become a
control token; the ids of control tokens are looked up by name. Loading Qwen3's tokenizer takes
about half a second and 100 MB, hashing it 0.3 s.

This gives up what added tokens do to text around them (``lstrip``, ``rstrip``, ``normalized``), and
tokenizers that post-processing completes: templates write every control token themselves.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import orjson
from tokenizers import Encoding, Tokenizer

from packkit.base.errors import InputError
from packkit.base.files import read_file

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(?<!\.json)")

# What tokenizers takes for a field that is left out, as every form that means the same. A file
# that was loaded and saved again holds fields that the first file left out.
_DEFAULTS: dict[str, dict[str, tuple[object, ...]]] = {
    "BPE": {
        "dropout": (None, 0),
        "unk_token": (None,),
        "continuing_subword_prefix": (None, ""),
        "end_of_word_suffix": (None, ""),
        "fuse_unk": (False,),
        "byte_fallback": (False,),
        "ignore_merges": (False,),
    },
    "ByteLevel": {"use_regex": (True,)},
    "Metaspace": {"prepend_scheme": ("always",), "split": (True,)},
}
# Moves character offsets, never ids.
_NO_EFFECT = {"ByteLevel": "trim_offsets"}

_ADDED_TOKEN_FIELDS = itemgetter("id", "content", "single_word", "lstrip", "rstrip", "normalized")


class TextTokenizer:
    """A Hugging Face tokenizer that never takes text for a control token.

    Attributes:
        data: Bytes of tokenizer.json as it was read.
        place: Path of the tokenizer, or what else names it in messages.
        added_tokens: Id of every added token by its content.

    Raises:
        InputError: `data` is not a tokenizer whose ids depend on the text alone.
    """

    def __init__(self, data: bytes, place: str) -> None:
        self.data = data
        self.place = place
        self._control_ids: dict[str, array[int]] = {}
        try:
            spec = orjson.loads(data)
            self._tokenizer = _without_added_tokens(spec)
            dropout = spec["model"].get("dropout")
            added = spec.get("added_tokens") or ()
            self.added_tokens: dict[str, int] = {token["content"]: token["id"] for token in added}
        # tokenizers raises nothing more precise.
        except Exception as error:
            raise InputError(f"{place}: not a tokenizer.json: {error}") from error
        if dropout:
            raise InputError(
                f"{place}: BPE dropout must be off, got {dropout}: "
                "with it the length of a sample changes from call to call"
            )

    @classmethod
    def read(cls, source: str | Path | Tokenizer) -> Self:
        """Reads a tokenizer.

        Args:
            source: Path of a tokenizer.json, a folder that holds one, a hub id, or a tokenizer.

        Raises:
            InputError: There is no tokenizer, or it cannot be used.
        """
        if isinstance(source, Tokenizer):
            return cls(source.to_str().encode(), "the tokenizer given")
        path = Path(source)
        if path.is_dir():
            path /= "tokenizer.json"
        elif not path.exists() and isinstance(source, str) and _HUB_ID.fullmatch(source):
            path = _fetch_from_hub(source)
        try:
            return cls(read_file(path), str(path))
        except OSError as error:
            raise InputError(f"{path}: cannot read the tokenizer: {error.strerror}") from error

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Encodes every text on all cores, without the GIL; may be called from many threads."""
        return self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)

    def encode_control(self, text: str) -> array[int]:
        """Returns the ids of text in which added tokens count as such; kept for the next call."""
        if (ids := self._control_ids.get(text)) is None:
            ids = array("I")
            for part in filter(None, self._split_at_added_tokens(text)):
                token = self.added_tokens.get(part)
                ids.fromlist(self.encode_batch([part])[0].ids if token is None else [token])
            self._control_ids[text] = ids
        return ids

    def check_control_tokens(self, tokens: Iterable[str], needed_by: str) -> None:
        """Checks that every token exists and that no text can become it.

        Raises:
            InputError: A token is missing, or its own spelling is encoded to it as text.
        """
        for token in tokens:
            if token not in self.added_tokens:
                raise InputError(
                    f"{self.place}: has no added token {token!r}, which {needed_by} needs"
                )
            if self.added_tokens[token] in self.encode_batch([token])[0].ids:
                raise InputError(
                    f"{self.place}: text that spells {token!r} becomes that token: "
                    "this tokenizer cannot tell text from control tokens"
                )

    @cached_property
    def _split_at_added_tokens(self) -> Callable[[str], list[str]]:
        longest_first = sorted(self.added_tokens, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})").split

    @cached_property
    def whole(self) -> Tokenizer:
        """The tokenizer with its added tokens; with it ids become text again."""
        return Tokenizer.from_buffer(self.data)

    @cached_property
    def behaviour(self) -> dict[str, str]:
        """Hash of each part of the tokenizer that can change an id.

        Two files have the same hashes when they differ only in layout, in fields that hold their
        defaults, or in what does not touch ids (decoder, post-processor, padding, truncation,
        offsets, which tokens count as special).
        """
        # Parsed again: kept since the start, it would hold tens of megabytes for one hash.
        spec = orjson.loads(self.data)
        parts = {
            "model": _canonical_model(spec["model"]),
            "normalizer": _canonical(spec.get("normalizer")),
            "pre_tokenizer": _canonical(spec.get("pre_tokenizer")),
            "added_tokens": sorted(map(_ADDED_TOKEN_FIELDS, spec.get("added_tokens") or ())),
        }
        return {f"tokenizer_{name}": canonical_hash(part) for name, part in parts.items()}


def canonical_hash(value: object) -> str:
    """Returns the SHA-256 of a JSON value, the same whatever the order of its keys.

    >>> canonical_hash({"a": 1, "b": 2}) == canonical_hash({"b": 2, "a": 1})
    True
    """
    # The standard library, for its way of writing numbers and strings will not change.
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _without_added_tokens(spec: Mapping[str, Any]) -> Tokenizer:
    bare: dict[str, Any] = {
        "added_tokens": [],
        "post_processor": None,
        "truncation": None,
        "padding": None,
    }
    return Tokenizer.from_buffer(orjson.dumps({**spec, **bare}))


def _fetch_from_hub(hub_id: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(hf_hub_download(hub_id, "tokenizer.json"))
    except (OSError, HFValidationError) as error:
        raise InputError(
            f"{hub_id}: no such file or folder here, and no tokenizer.json from the hub "
            f"({type(error).__name__}); without the hub, name a local tokenizer.json or its folder"
        ) from error


def _canonical_model(model: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the model in the form that current files have; vocabulary as pairs, by id."""
    # Old files name no type; only BPE has merges.
    kind = {"type": "BPE"} if "merges" in model else {}
    settings = {key: model[key] for key in model if key not in ("vocab", "merges")}
    canonical: dict[str, Any] = _canonical({**kind, **settings})
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        # Sorting by number is several times faster than by text.
        vocab = sorted(vocab.items(), key=itemgetter(1, 0))
    canonical["vocab"] = vocab
    if "merges" in model:
        # Old files write a pair as one string with a space.
        canonical["merges"] = [
            pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]
        ]
    return canonical


def _canonical(component: Any) -> Any:  # noqa: ANN401
    """Returns a part of tokenizer.json without fields that hold their default or touch no id."""
    if isinstance(component, list):
        return [_canonical(item) for item in component]
    if not isinstance(component, dict):
        return component
    kind = component.get("type", "")
    defaults, no_effect = _DEFAULTS.get(kind, {}), _NO_EFFECT.get(kind)
    return {
        key: _canonical(value)
        for key, value in component.items()
        if key != no_effect and value not in defaults.get(key, ())
    }
