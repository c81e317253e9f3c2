"""A chat model behind any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from time import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from packkit.base.errors import InputError, MissingExtraError
from packkit.infimed.chat.chat_model import (
    AccessError,
    AdaptedError,
    ChatError,
    FilteredError,
    Messages,
    Reply,
    RetryableError,
    Schema,
)
from packkit.infimed.chat.dialect import Dialect, Rejection
from packkit.infimed.chat.json_text import encodable

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_RETRYABLE = frozenset({408, 409, 425, 429})
# 402 is how several providers say that an account is empty.
_NO_ACCESS = frozenset({401, 402, 403, 404})
_REJECTED = frozenset({400, 422})
_FILTERED = frozenset({"content_filter", "content_policy_violation"})
_EMPTY_ACCOUNT = "insufficient_quota"

# A local server asks for no key, but the client insists on one.
_NO_KEY = "none"
_SHOWN_CHARACTERS = 500


class OpenAIChat:
    """Sends requests to one endpoint and learns which parameters it takes.

    Args:
        model: Name of the model at the endpoint.
        base_url: Address of the endpoint, such as ``http://localhost:8000/v1``; by default that of
            the environment variable OPENAI_BASE_URL, else OpenAI's own.
        api_key: Key of the endpoint; by default that of OPENAI_API_KEY. An endpoint that is not
            OpenAI's needs none.
        timeout: Seconds that one request may take.
        max_tokens: Tokens that a reply may have, those of its reasoning included.

    Raises:
        MissingExtraError: The package openai is not installed.
        InputError: OpenAI's own endpoint is asked without a key, or a number is not over 0.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 300.0,
        max_tokens: int = 4096,
    ) -> None:
        if find_spec("openai") is None:
            raise MissingExtraError("openai", "judge")
        if timeout <= 0 or max_tokens < 1:
            raise InputError(f"timeout and max_tokens must be over 0, got {timeout}, {max_tokens}")
        self._base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None
        key = api_key or os.environ.get("OPENAI_API_KEY")
        if not key and self._base_url is None:
            raise InputError("OPENAI_API_KEY must be set, or base_url name another endpoint")
        self._api_key = key or _NO_KEY
        self._model, self._timeout, self._max_tokens = model, timeout, max_tokens
        self._dialect = Dialect()
        self._client: AsyncOpenAI | None = None

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def max_tokens(self) -> int:
        """Tokens that a reply may have at most."""
        return self._max_tokens

    async def complete(self, messages: Messages, schema: Schema | None) -> Reply:
        """Sends exactly one request; see `ChatModel.complete` for its errors."""
        import openai

        if self._client is None:
            raise RuntimeError("a chat model must be entered (async with) before its first request")
        sent = self._dialect
        try:
            completion = await self._client.chat.completions.create(
                model=self._model,
                messages=cast("Any", messages),
                **sent.parameters(schema, self._max_tokens),
            )
        except openai.APITimeoutError as error:
            raise RetryableError(f"no answer within {self._timeout:g} s") from error
        except openai.APIConnectionError as error:
            raise RetryableError(f"no connection: {error.__cause__ or error}") from error
        except openai.APIStatusError as error:
            self._raise_status(error, sent)
        except (openai.APIResponseValidationError, json.JSONDecodeError) as error:
            raise RetryableError(f"the answer is no JSON: {error}") from error
        return _reply(completion)

    async def __aenter__(self) -> Self:
        """Makes the client."""
        from openai import AsyncOpenAI

        # Retries inside the client would hide attempts, and what they cost.
        self._client = AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._api_key,
            timeout=self._timeout,
            max_retries=0,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _raise_status(self, error: APIStatusError, sent: Dialect) -> NoReturn:
        """Turns an answer that is no reply into the error that says what to do next."""
        status, code = error.status_code, error.code
        message = f"HTTP {status}: {_shown(error)}"
        if status in _NO_ACCESS or code == _EMPTY_ACCOUNT:
            raise AccessError(f"{self._place}: {message}") from error
        if code in _FILTERED:
            raise FilteredError(message) from error
        if status in _RETRYABLE or status >= 500:
            raise RetryableError(message, _retry_after(error.response.headers)) from error
        if status in _REJECTED:
            learned = sent.adapted_to(Rejection(_shown(error), error.param, code))
            if learned != sent:
                # Of requests rejected side by side for one parameter, the first has adapted it.
                if self._dialect == sent:
                    self._dialect = learned
                raise AdaptedError(message) from error
        raise ChatError(message) from error

    @property
    def _place(self) -> str:
        return f"model {self._model} at {self._base_url or 'OpenAI'}"


def _reply(completion: Any) -> Reply:  # noqa: ANN401
    """Reads a reply; what servers send as 200 is not always what the client's types promise."""
    choices = getattr(completion, "choices", None)
    if not choices:
        shown = str(getattr(completion, "error", None) or completion)[:_SHOWN_CHARACTERS]
        raise RetryableError(f"the answer holds no reply: {shown}")
    message, usage = getattr(choices[0], "message", None), completion.usage
    if message is None:
        raise RetryableError(f"the reply has no message: {str(choices[0])[:_SHOWN_CHARACTERS]}")
    return Reply(
        text=encodable(_text(message.content)),
        refusal=encodable(message.refusal) if message.refusal else None,
        finish_reason=choices[0].finish_reason or "",
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
    )


def _text(content: object) -> str:
    """Returns the text of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _shown(error: APIStatusError) -> str:
    """Returns what a server says, without the client's words around it."""
    body = error.body
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or body
    return " ".join(str(body or error.message).split())[:_SHOWN_CHARACTERS]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that a server asks to wait, which it may state as a date."""
    text = headers.get("retry-after")
    if text is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(text))
    # A header that is neither number nor date says nothing.
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    return None
