"""What is wrong where a server is not the one that was meant, and the way out, in words."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

_GAP = r"[^\n]{0,80}"
# Errors of a model's name, where the server gives no code for it.
_NO_MODEL = re.compile(
    rf"\bmodel\b{_GAP}\b(?:not found|not exist|doesn't exist)"
    r"|\b(?:no such|unknown|invalid|unrecogni[sz]ed) model\b|\bnot a valid model\b",
    re.I,
)
_MODEL_CODES = frozenset({"model_not_found", "invalid_model"})

_IS_RIGHT = "is the address right?"
# The client is httpx or a successor of it, by the version of the package openai: names tell both.
_NOT_CONNECTED = frozenset({"ConnectError", "ConnectTimeout", "UnsupportedProtocol"})


def is_unknown_model(said: str, code: str | None, param: str | None) -> bool:
    """Whether an error says that the server has no model of the name that was sent."""
    return code in _MODEL_CODES or param == "model" or _NO_MODEL.search(said) is not None


def why_unconnected(error: BaseException) -> str | None:
    """Returns why no connection was made; None where there was one, which then broke."""
    causes = list(_causes(error))
    if not any(type(cause).__name__ in _NOT_CONNECTED for cause in causes):
        return None
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"nothing listens there, as while a server still loads its model; {_IS_RIGHT}"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"the name of the host cannot be resolved; {_IS_RIGHT}"
    said = str(causes[1] if len(causes) > 1 else error) or "no answer in time"
    return f"{said}; {_IS_RIGHT}"


def way_out(status: int, url: str, *, is_model: bool, has_key: bool) -> str:
    """Returns what to do about an answer that turns every request away, behind a semicolon."""
    if is_model:
        return f"; the server knows no model of this name, {url}/models lists those it knows"
    if status in (401, 403):
        return "; is OPENAI_API_KEY right?" if has_key else "; OPENAI_API_KEY is not set"
    if status == 402:
        return ""
    return f"; {url}/chat/completions was asked: addresses mostly end in /v1, once"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what caused it, of several causes side by side the first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        several = cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
        cause = several[0] if several else cause.__cause__ or cause.__context__
