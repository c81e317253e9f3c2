"""The length contract: the only place where a sample becomes ids and so has a length.

The length that the planner packs is the number of ids that `SampleEncoder` gives, image tokens
expanded, and the trainer sees those very ids. `SampleEncoder.encode_batch` is the fast way: one
call into the tokenizer for the texts of many samples, then a few array operations for the whole
batch, so that Python adds a few microseconds a sample.

What it gives up: a header (``<|im_start|>user`` and its newline) and the body after it are encoded
apart, as at inference, where the model goes on after a header that is already ids. Encoding the
joint string can give other ids for a body that starts with a line break, or with white space up
to one: there the tokenizer merges the header's newline into it. All other bodies have the same
ids both ways.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
from tokenizers import Tokenizer

from packkit.base.errors import FingerprintError, FormatError, InputError, SampleError
from packkit.base.files import read_file, write_atomically
from packkit.encoding.bounded import TextBounds
from packkit.encoding.encoded import IGNORED, EncodedBatch, EncodedSample
from packkit.encoding.image_tokens import ImagePolicy, ImageSizes, count_image_tokens, image_policy
from packkit.encoding.templates import END_OF_TEXT, IMAGE, TEMPLATES, THINK_TAGS, TURN_END, Piece
from packkit.encoding.tokenizer import TextTokenizer, canonical_hash
from packkit.samples import Sample

ENCODING_VERSION = 1
"""Raised whenever the same settings give other ids or labels for any sample."""

_SAVED_SETTINGS = itemgetter("template", "image_tokens", "image_slot")


class _Draft(NamedTuple):
    """A rendered sample: its pieces, the tokens of each image, and where it is to be cut."""

    pieces: list[Piece]
    image_tokens: list[int]
    token_limit: int | None


class SampleEncoder:
    """Turns samples into ids and labels. May be used from many threads at once.

    Text never becomes a control token, but for ``<think>`` and ``</think>`` in assistant turns,
    where the tokenizer has them. Trained are: documents with the ``<|endoftext|>`` that ends them;
    the body of a trained turn with its ``<|im_end|>``, without the newline after it. Never trained
    are headers, an empty think block that the template puts in, image slots, and the first token
    of a sample.

    Args:
        tokenizer: Path of a tokenizer.json, a folder that holds one, a hub id, or a tokenizer.
        image_tokens: Tokens of every image, also as ``"fixed:144"``, or a policy of their sizes.
        template: Name of the chat template, ``qwen3`` or ``chatml``, see
            `packkit.encoding.templates`.
        image_slot: The token that stands, repeated, for an image.

    Raises:
        InputError: A setting is not legal, or the tokenizer lacks a token that is needed.
    """

    def __init__(
        self,
        tokenizer: str | Path | Tokenizer,
        *,
        image_tokens: int | str | ImagePolicy = 144,
        template: str = "qwen3",
        image_slot: str = "<|image_pad|>",
    ) -> None:
        if template not in TEMPLATES:
            raise InputError(f"template must be one of {', '.join(TEMPLATES)}, got {template!r}")
        self._template = TEMPLATES[template]
        self._image_policy = image_policy(image_tokens)
        self._image_slot = image_slot
        self._tokenizer = TextTokenizer.read(tokenizer)
        ids = self._tokenizer.added_tokens
        self._has_think_tags = ids.keys() >= set(THINK_TAGS)
        think_tags = THINK_TAGS if self._has_think_tags else ()
        check = self._tokenizer.check_control_tokens
        check((*self._template.control_tokens, *think_tags), f"template {template}")
        check((image_slot,), "image_slot")
        self._slot_ids = array("I", (ids[image_slot],))

    def encode(self, sample: Sample, *, image_sizes: ImageSizes | None = None) -> EncodedSample:
        """Encodes one sample, see `encode_batch`.

        Raises:
            SampleError: The sample cannot be trained on, see `encode_batch`.
        """
        (encoded,) = self.encode_batch([sample], image_sizes=[image_sizes])
        if isinstance(encoded, SampleError):
            raise encoded
        return encoded

    def length(self, sample: Sample) -> int:
        """Returns the number of tokens of `encode`, which raises the same errors."""
        return self.encode(sample).length

    def encode_batch(
        self,
        samples: Sequence[Sample],
        *,
        image_sizes: Sequence[ImageSizes | None] | None = None,
        max_len: int | None = None,
    ) -> list[EncodedSample | SampleError]:
        """Encodes many samples at once, on all cores and without the GIL for most of the time.

        A sample with a `token_limit` is cut there; an image that the cut would split is left out,
        with all that follows it.

        Args:
            samples: The samples to encode.
            image_sizes: Width and height, pixels, of the images of each sample, where they are
                known already. Else a policy that needs them reads the headers of the images.
            max_len: Tokens that the caller takes; a text whose bytes alone tell that a sample has
                more is an error, and is not tokenized.

        Returns:
            For each sample, in order, its ids or the error that keeps it from being trained on:
            an image without a readable size, text that is not valid UTF-8, no trained token, far
            too much text.
        """
        sizes = [None] * len(samples) if image_sizes is None else image_sizes
        outcomes = [
            self._draft(sample, known, max_len)
            for sample, known in zip(samples, sizes, strict=True)
        ]
        drafts = [draft for draft in outcomes if isinstance(draft, _Draft)]
        if not drafts:
            return [error for error in outcomes if isinstance(error, SampleError)]
        encoded = self._join(drafts).samples([draft.token_limit for draft in drafts])
        return [next(encoded) if isinstance(draft, _Draft) else draft for draft in outcomes]

    def encode_prompt(self, sample: Sample) -> EncodedSample:
        """Encodes what stands before a model's answer: the ids that it was trained to go on from.

        Args:
            sample: A document to go on with, or messages that the assistant answers next.

        Returns:
            Ids and image slots; no label is trained.

        Raises:
            SampleError: A text is not valid UTF-8, or an image has no readable size.
        """
        pieces = self._template.render_prompt(sample, has_think_tags=self._has_think_tags)
        tokens = count_image_tokens(self._image_policy, sample, None)
        batch = self._join([_Draft(pieces, tokens, None)])
        input_ids = batch.input_ids
        return EncodedSample(input_ids, np.full_like(input_ids, IGNORED), batch.image_slots)

    def _draft(
        self, sample: Sample, sizes: ImageSizes | None, max_len: int | None
    ) -> _Draft | SampleError:
        try:
            pieces = self._template.render(sample, has_think_tags=self._has_think_tags)
            tokens = count_image_tokens(self._image_policy, sample, sizes)
            limit = sample.token_limit
            if max_len is not None and (limit is None or limit > max_len):
                self._bounds.check_length(pieces, tokens, max_len)
            if limit is not None:
                pieces = self._bounds.cut(pieces, limit)
            return _Draft(pieces, tokens, limit)
        except SampleError as error:
            return error

    def _join(self, drafts: Sequence[_Draft]) -> EncodedBatch:
        """Returns the ids of all drafts end to end, from one call into the tokenizer."""
        texts = [piece.text for draft in drafts for piece in draft.pieces if not piece.is_control]
        encodings = iter(self._tokenizer.encode_batch(texts))
        batch = EncodedBatch()
        ids, slots, trained_bounds = batch.ids, batch.slots, batch.trained_bounds
        for pieces, image_tokens, _ in drafts:
            first = len(ids)
            images = iter(image_tokens)
            for text, is_trained, is_control in pieces:
                start = len(ids)
                if not is_control:
                    ids.fromlist(next(encodings).ids)
                elif text == IMAGE:
                    tokens = next(images)
                    slots.extend((start - first, tokens))
                    ids.extend(self._slot_ids * tokens)
                else:
                    ids.extend(self._tokenizer.encode_control(text))
                if is_trained:
                    trained_bounds.extend((start, len(ids)))
            batch.end_sample()
        return batch

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids without special tokens; Qwen3's think tags are kept."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    @property
    def end_ids(self) -> tuple[int, int]:
        """Ids that end a turn and a document: those of ``<|im_end|>`` and ``<|endoftext|>``."""
        added = self._tokenizer.added_tokens
        return added[TURN_END], added[END_OF_TEXT]

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer as others use it: with it, text can become a control token."""
        return self._tokenizer.whole

    @property
    def template(self) -> str:
        """Name of the template."""
        return self._template.name

    @property
    def image_slot(self) -> str:
        """The token that stands, repeated, for an image."""
        return self._image_slot

    @property
    def image_slot_id(self) -> int:
        """Id of the token that stands, repeated, for an image."""
        return self._slot_ids[0]

    @cached_property
    def _bounds(self) -> TextBounds:
        return TextBounds.of_tokenizer(self._tokenizer.data)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that ids and labels depend on: equal hashes, equal encoders."""
        return canonical_hash(self._settings)

    @cached_property
    def _settings(self) -> dict[str, Any]:
        return {
            "encoding_version": ENCODING_VERSION,
            "template": self._template.name,
            "image_tokens": self._image_policy.spec,
            "image_slot": self._image_slot,
            "image_slot_id": self.image_slot_id,
            **self._tokenizer.behaviour,
        }

    def describe(self) -> dict[str, Any]:
        """Returns what encoder.json holds: the settings, a hash of each part, the fingerprint."""
        return {**self._settings, "fingerprint": self.fingerprint}

    def differences(self, description: Mapping[str, Any]) -> list[str]:
        """Returns one line for each part in which the encoder described is not this one.

        Args:
            description: The result of `describe` for the other encoder.
        """
        lines = [
            f"{part} is {description.get(part)!r} there, {value!r} here"
            for part, value in self._settings.items()
            if description.get(part) != value
        ]
        if not lines and description.get("fingerprint") != self.fingerprint:
            lines.append("fingerprint is not that of the settings beside it")
        return lines

    def save(self, folder: str | Path) -> None:
        """Writes tokenizer.json, byte for byte as it was read, and encoder.json."""
        folder = Path(folder)
        write_atomically(folder / "tokenizer.json", self._tokenizer.data)
        description = orjson.dumps(self.describe(), option=orjson.OPT_INDENT_2)
        write_atomically(folder / "encoder.json", description + b"\n")

    @classmethod
    def load(cls, folder: str | Path, *, image_tokens: ImagePolicy | None = None) -> Self:
        """Reads what `save` wrote.

        Args:
            folder: Folder that holds tokenizer.json and encoder.json.
            image_tokens: The image policy, where it is not one of packkit's own.

        Raises:
            FormatError: The file encoder.json cannot be read, or does not describe an encoder.
            FingerprintError: The folder now gives another encoder than the one saved.
        """
        path = Path(folder) / "encoder.json"
        try:
            saved = orjson.loads(read_file(path))
            template, policy, slot = _SAVED_SETTINGS(saved)
            if not (isinstance(template, str) and isinstance(slot, str)):
                raise TypeError(f"template and image_slot must be text, got {template!r}, {slot!r}")
        except OSError as error:
            raise FormatError(path, f"cannot read it: {error.strerror}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise FormatError(path, f"must hold what an encoder describes: {error!r}") from error
        encoder = cls(
            folder, image_tokens=image_tokens or policy, template=template, image_slot=slot
        )
        if differences := encoder.differences(saved):
            raise FingerprintError(f"{folder}: not the encoder that was saved", differences)
        return encoder
