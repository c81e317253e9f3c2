"""Reads what a server answers, whatever it answers: nothing in it has the type it should have."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from packkit.infimed.chat.address import Secrets
from packkit.infimed.chat.chat_model import Reply, RetryableError, UnreachableError
from packkit.infimed.chat.json_text import encodable

_SHOWN_CHARACTERS = 500
# What is read of a web page, whose text stands between tags.
_READ_CHARACTERS = 20_000
_PAGE = re.compile(r"\s*<(?:!doctype html|html)\b", re.I)
_TAG = re.compile(r"<[^<>]*>")
# How an endpoint is told apart that is a web site or a proxy, or lies beside the right path.
_FOREIGN = "no OpenAI-compatible answer; is the address right?"
# More than any model reads or writes at once; a larger count is no count.
_MOST_TOKENS = 10**9


def read_completion(content: bytes, secrets: Secrets) -> Reply:
    """Reads the reply in the body of an answer.

    A count of tokens that no request can have is none.

    Args:
        content: The body.
        secrets: Secrets that neither the reply nor an error may hold.

    Raises:
        UnreachableError: The body is none of a server that speaks OpenAI's chat completions.
        RetryableError: The body holds no reply.
    """
    answer = json_object(content)
    if answer is None:
        said = excerpt(content, secrets)
        raise UnreachableError(f"{_FOREIGN}: the answer is no JSON object: {said}") from None
    if "choices" not in answer and not isinstance(answer.get("error"), dict):
        said = excerpt(content, secrets)
        raise UnreachableError(f"{_FOREIGN}: the answer holds no reply: {said}")
    choices = answer.get("choices")
    choice = _mapping(choices[0] if isinstance(choices, list) and choices else None)
    message, usage = choice.get("message"), _mapping(answer.get("usage"))
    text = _text(_mapping(message).get("content"))
    if not isinstance(message, dict) or text is None:
        raise RetryableError(f"the answer holds no reply: {excerpt(content, secrets)}")
    refusal, reason = message.get("refusal"), choice.get("finish_reason")
    return Reply(
        text=secrets.hide(encodable(text)),
        refusal=(
            secrets.hide(encodable(refusal)) if refusal and isinstance(refusal, str) else None
        ),
        finish_reason=encodable(reason) if isinstance(reason, str) else "",
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
    )


def json_object(content: bytes) -> dict[str, Any] | None:
    """Returns the JSON object that a body is; None where it is something else."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def error_field(body: object, *names: str) -> str | None:
    """Returns the first of some fields of an error's body that is a text; None without any."""
    fields = (_mapping(body).get(name) for name in names)
    return next((field for field in fields if isinstance(field, str) and field), None)


def excerpt(said: str | bytes, secrets: Secrets) -> str:
    """Returns the beginning of what a server says, in one line, without secrets and tags."""
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    # Hidden before it is cut: half of a secret is not known for one.
    hidden = secrets.hide(text)
    if _PAGE.match(hidden):
        hidden = "HTML: " + _TAG.sub(" ", hidden[:_READ_CHARACTERS])
    return encodable(" ".join(hidden.split())[:_SHOWN_CHARACTERS])


def retry_after(text: str | None) -> float | None:
    """Returns the seconds that a server asks to wait, which it may state as a date."""
    if text is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(text))
    # A header that is neither number nor date says nothing.
    with suppress(ValueError, OverflowError, TypeError, IndexError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    return None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(content: object) -> str | None:
    """Returns the text of a message, which some servers send in parts; None where it is none."""
    if content is None:
        return ""
    if isinstance(content, list):
        texts = (_mapping(part).get("text") for part in content)
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else None


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None
