"""A prompt and what completes it: TRL's, ms-swift's and Alpaca's rows.

``prompt`` and ``completion`` are texts or lists of turns; turns of a prompt are not trained, as TRL
does not train them. ``query``, ``response``, ``history`` and ``system`` are those of ms-swift,
``instruction``, ``input`` and ``output`` those of Alpaca.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot
from packkit.samples import Message, Sample
from packkit.samples.sample_json import kind_of
from packkit.sources.base import Fields, id_from_field, rest_as_meta, text_from_field
from packkit.sources.turns import images_of, read_conversation
from packkit.sources.unused import check_parts_read

_NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "query", "instruction"),
    "completion": ("completion", "response", "output"),
}
_BESIDE = ("id", "image", "images", "system", "history", "input")


class PromptLayout:
    """Rows with a prompt and its completion."""

    name: ClassVar[str] = "prompt"
    roles: ClassVar[tuple[str, ...]] = tuple(_NAMES)

    def __init__(self, columns: Mapping[str, str]) -> None:
        """Takes the option `columns`."""
        self._names = {
            role: (columns[role],) if role in columns else _NAMES[role] for role in _NAMES
        }

    def matches(self, fields: Fields) -> bool:
        """Whether there are a prompt and a completion."""
        return all(self._column(role, fields) for role in self._names)

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a prompt and its completion.

        Raises:
            SampleError: A part is missing, or markers and images differ in number.
        """
        prompt, completion = (self._column(role, fields) for role in self._names)
        if prompt is None or completion is None:
            names = " and ".join("|".join(names) for names in self._names.values())
            raise invalid_sample(f"must have {names}")
        asked, answered = _turns(fields, prompt, "user"), _turns(fields, completion, "assistant")
        if fields.get("input"):
            if prompt != "instruction" or isinstance(fields[prompt], list):
                raise invalid_sample("input is read beside an instruction that is a text")
            asked[0]["content"] += "\n" + text_from_field(fields, "input")
        turns = [*_history(fields.get("history")), *asked, *answered]
        conversation = read_conversation(
            turns, images_of(fields, root), root, system=fields.get("system")
        )
        messages = conversation.messages
        if isinstance(fields[prompt], list):
            messages = _untrained(messages, len(messages) - len(answered))
        rest = rest_as_meta(fields, {*_BESIDE, prompt, completion})
        check_parts_read(rest, ("input",))
        return Sample(
            id=id_from_field(fields, "id"),
            messages=messages,
            images=conversation.images,
            meta=rest,
        )

    def _column(self, role: str, fields: Fields) -> str | None:
        return next((name for name in self._names[role] if fields.get(name) is not None), None)


def _turns(fields: Fields, name: str, role: str) -> list[dict[str, Any]]:
    value = fields[name]
    if isinstance(value, list):
        return list(value)
    return [{"role": role, "content": text_from_field(fields, name)}]


def _history(history: object) -> list[dict[str, Any]]:
    """Returns earlier turns, which ms-swift writes as pairs of a query and a response."""
    if history is None:
        return []
    turns: list[dict[str, Any]] = []
    for number, pair in enumerate(history if isinstance(history, list) else [history]):
        match pair:
            case [str(query), str(response)]:
                turns += [
                    {"role": "user", "content": query},
                    {"role": "assistant", "content": response},
                ]
            case _:
                raise invalid_sample(f"history {number} must be two texts, got {kind_of(pair)}")
    return turns


def _untrained(messages: tuple[Message, ...], count: int) -> tuple[Message, ...]:
    """Returns messages of which the first are trained only where they say so themselves."""
    prompt = (
        replace(message, train=False)
        if message.role == "assistant" and message.train is None
        else message
        for message in messages[:count]
    )
    return (*prompt, *messages[count:])
