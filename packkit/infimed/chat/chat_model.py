"""What a chat model is: one request in, one reply out, or an error that says what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from packkit.base.errors import PackkitError

Messages = Sequence[Mapping[str, Any]]
"""A conversation as OpenAI's chat completions take it."""

Schema = Mapping[str, Any]
"""JSON schema of the object that a reply is to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answered to one request.

    Attributes:
        text: What the model wrote; may be empty.
        refusal: What the model says in place of an answer, where the server tells that apart.
        finish_reason: Why the reply ends, such as ``stop``, ``length`` or ``content_filter``.
        prompt_tokens: Tokens of the conversation as the server counted; None where it does not say.
        completion_tokens: Tokens of the reply as the server counted; None where it does not say.
    """

    text: str
    refusal: str | None = None
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ChatError(PackkitError, RuntimeError):
    """One request failed, and would fail again."""


class RetryableError(ChatError):
    """One request failed, and may succeed later.

    Attributes:
        retry_after: Seconds that the server asks to wait; None where it does not.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnreachableError(RetryableError):
    """No server took the request that speaks OpenAI's chat completions and knows the model.

    Once there was a reply, that server may come back; before the first one, none is there.
    """


class AdaptedError(ChatError):
    """The server rejects a parameter, which the model leaves out from now on: ask again."""


class FilteredError(ChatError):
    """The server's content filter stopped the request: a refusal."""


class AccessError(ChatError):
    """No request will be answered: a wrong key, address or model, an account without money."""


class ChatModel(Protocol):
    """Answers requests, many tasks of one event loop at the same time.

    It is entered before its first request and left after its last, and may be entered again.
    """

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def max_tokens(self) -> int:
        """Tokens that a reply may have at most."""

    async def complete(self, messages: Messages, schema: Schema | None) -> Reply:
        """Sends exactly one request.

        Args:
            messages: The conversation.
            schema: JSON schema of the object that the reply is to hold, though not every endpoint
                can promise it; None for free text.

        Raises:
            UnreachableError: No server of the right kind is there.
            RetryableError: The request may succeed later.
            AdaptedError: The request may succeed at once, with other parameters.
            FilteredError: A content filter stopped the request.
            AccessError: No request will succeed.
            ChatError: The request will never succeed.
        """

    async def __aenter__(self) -> Self:
        """Opens what requests need."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes what was opened."""
