"""What parameters an endpoint takes, learned from the requests that it rejects.

Servers that call themselves OpenAI-compatible differ: some know no ``json_schema``, older ones
know ``max_tokens`` alone, reasoning models refuse a temperature. Such a request comes back as 400
(or 422) and names the parameter. Requests come back as 400 for other reasons too, such as a
conversation that is too long, and those must teach nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from packkit.infimed.chat.chat_model import Schema

# Words that reject a parameter, where they stand in one sentence with its name.
_REJECTING = (
    r"unsupported|not supported|n[o']t support|unrecogni[sz]ed|unknown|unexpected|not permitted"
    r"|not allowed|unavailable|not available|extra_forbidden|extra (?:inputs|fields)"
    r"|not implemented|must be|invalid (?:parameter|schema)|only the default"
)
_TOO_MUCH = re.compile(r"too (?:large|long|many|high)|context length|exceed|at most|maximum", re.I)
_GAP = r"[^.\n]{0,80}"
# In quotes, or after such a word as "parameter": texts of samples come back in messages too, and
# "temperature" is a word of medicine.
_NAMES = {
    "response_format": (
        r"\b(?:response_format|json_schema|json_object|json mode|structured outputs?)\b"
    ),
    "max_completion_tokens": r"\bmax_completion_tokens\b",
    "temperature": r"(?:['\"`]temperature\b|\b(?:parameter|argument|supplied)s?:? temperature\b)",
}
_CODES = frozenset({"unsupported_parameter", "unknown_parameter", "unsupported_value"})


@dataclass(frozen=True, slots=True)
class Rejection:
    """How a server rejected a request.

    Attributes:
        message: What the server says.
        param: Parameter that the server names in a field apart; None where it names none.
        code: Code of the server for the reason; None where it gives none.
    """

    message: str
    param: str | None = None
    code: str | None = None

    def concerns(self, parameter: str) -> bool:
        """Whether the server takes no such parameter, whatever its value in this request."""
        if self.param is not None and self.param.split(".")[0] != parameter:
            return False
        # A conversation can be too long for what is left to the reply: no fault of the parameter.
        if parameter == "max_completion_tokens" and _TOO_MUCH.search(self.message):
            return False
        if self.param is not None and (parameter == "response_format" or self.code in _CODES):
            return True
        name = _NAMES[parameter]
        either = rf"{name}{_GAP}(?:{_REJECTING})|(?:{_REJECTING}){_GAP}{name}"
        return re.search(either, self.message, re.I) is not None


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parameters that requests to one endpoint carry.

    Attributes:
        format: Type of ``response_format`` that makes a reply JSON: ``json_schema`` or
            ``json_object``; None where the endpoint takes neither.
        limit: Name of the parameter that limits the tokens of a reply.
        has_temperature: Whether a temperature may be given.
    """

    format: str | None = "json_schema"
    limit: str = "max_completion_tokens"
    has_temperature: bool = True

    def parameters(self, schema: Schema | None, max_tokens: int) -> dict[str, Any]:
        """Returns the parameters of a request, beside model and messages.

        Args:
            schema: JSON schema of the object that the reply is to hold; None for free text.
            max_tokens: Tokens that the reply may have at most.
        """
        parameters: dict[str, Any] = {self.limit: max_tokens}
        if self.has_temperature:
            parameters["temperature"] = 0
        if schema is None:
            return parameters
        if self.format == "json_schema":
            described = {"name": "reply", "strict": True, "schema": schema}
            parameters["response_format"] = {"type": "json_schema", "json_schema": described}
        elif self.format == "json_object":
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def adapted_to(self, rejection: Rejection) -> Dialect:
        """Returns the dialect that a rejection teaches; this one where it teaches nothing."""
        steps: list[tuple[str, bool, Callable[[], Dialect]]] = [
            ("response_format", self.format is not None, self._weaker_format),
            (
                "max_completion_tokens",
                self.limit == "max_completion_tokens",
                lambda: replace(self, limit="max_tokens"),
            ),
            ("temperature", self.has_temperature, lambda: replace(self, has_temperature=False)),
        ]
        for parameter, is_sent, step in steps:
            if is_sent and rejection.concerns(parameter):
                return step()
        return self

    def _weaker_format(self) -> Dialect:
        return replace(self, format="json_object" if self.format == "json_schema" else None)
