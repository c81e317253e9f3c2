"""A chat model behind any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from packkit.base.errors import InputError, MissingExtraError
from packkit.infimed.chat.address import Address, Secrets
from packkit.infimed.chat.chat_model import (
    AccessError,
    AdaptedError,
    ChatError,
    FilteredError,
    Messages,
    Reply,
    RetryableError,
    Schema,
    UnreachableError,
)
from packkit.infimed.chat.completion import (
    error_field,
    excerpt,
    json_object,
    read_completion,
    retry_after,
)
from packkit.infimed.chat.contact import is_unknown_model, way_out, why_unconnected
from packkit.infimed.chat.dialect import Dialect, Rejection

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRYABLE = frozenset({408, 409, 425, 429})
# 402 is how several providers say that an account is empty; 405 and 501 are what servers of files
# say of a request that is posted.
_NO_ACCESS = frozenset({401, 402, 403, 404, 405, 410, 501})
_REJECTED = frozenset({400, 422})
_FILTERED = frozenset({"content_filter", "content_policy_violation"})
_EMPTY_ACCOUNT = "insufficient_quota"

_OPENAI_URL = "https://api.openai.com/v1"
_VARIABLE = "OPENAI_BASE_URL"
# A connection that takes longer is not made at all, however long the reply may take.
_CONNECT_SECONDS = 10.0
# A local server asks for no key, but the client insists on one.
_NO_KEY = "none"
# An answer has some 64 bytes a token at most, and what stands around its text.
_TOKEN_BYTES = 64
_ANSWER_BYTES = 1 << 20


class OpenAIChat:
    """Sends requests to one endpoint and learns which parameters it takes.

    Key, password and parameters of the address are sent; errors and replies hold none of them, also
    where the server repeats them. Redirects are not followed.

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
        InputError: OpenAI's own endpoint is asked without a key, an address or key cannot be sent,
            or a number is not over 0.
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
        self._origin = ""
        text = base_url
        if text is None:
            text, self._origin = os.environ.get(_VARIABLE), _VARIABLE
        self._address = None if text is None else Address.parse(text, self._origin or "base_url")
        key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
        if not key and self._address is None:
            raise InputError("OPENAI_API_KEY must be set, or base_url name another endpoint")
        if not (key.isascii() and key.isprintable()):
            raise InputError("OPENAI_API_KEY must be printable ASCII")
        self._api_key = key or _NO_KEY
        self._secrets = Secrets([key, *(self._address.secrets if self._address else ())])
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
        try:
            return await self._complete(messages, schema)
        except RetryableError as error:
            raise type(error)(f"{self._place}: {error}", error.retry_after) from None

    async def _complete(self, messages: Messages, schema: Schema | None) -> Reply:
        import openai

        if self._client is None:
            raise RuntimeError("a chat model must be entered (async with) before its first request")
        sent = self._dialect
        # The client's words hold what the server said, secrets included: none stays as a cause.
        try:
            # The client's own limit is one of silence: an answer that drips goes on for ever.
            async with asyncio.timeout(self._timeout):
                answer = await self._client.chat.completions.with_raw_response.create(
                    model=self._model,
                    messages=cast("Any", messages),
                    **sent.parameters(schema, self._max_tokens),
                )
        except TimeoutError:
            raise RetryableError(f"no answer within {self._timeout:g} s") from None
        except openai.APIConnectionError as error:
            self._raise_connection(error)
        except openai.APIStatusError as error:
            self._raise_status(error, sent)
        return read_completion(answer.content, self._secrets)

    async def __aenter__(self) -> Self:
        """Makes the client."""
        from openai import AsyncOpenAI, Timeout

        from packkit.infimed.chat.bounded_client import BoundedClient

        address = self._address
        # Retries inside the client would hide attempts, and what they cost.
        self._client = AsyncOpenAI(
            base_url=None if address is None else address.url,
            api_key=self._api_key,
            timeout=Timeout(self._timeout, connect=min(self._timeout, _CONNECT_SECONDS)),
            max_retries=0,
            default_query=None if address is None else address.query,
            http_client=BoundedClient(
                limit=_ANSWER_BYTES + _TOKEN_BYTES * self._max_tokens,
                auth=None if address is None else address.login,
            ),
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

    def _raise_connection(self, error: APIConnectionError) -> NoReturn:
        """Tells a connection that was never made from one that broke or was silent."""
        from openai import APITimeoutError

        why = why_unconnected(error)
        if why is not None:
            raise UnreachableError(f"no connection: {self._shown(why)}") from None
        if isinstance(error, APITimeoutError):
            raise RetryableError(f"no answer within {self._timeout:g} s") from None
        if isinstance(error.__cause__, RetryableError):
            raise RetryableError(str(error.__cause__)) from None
        said = self._shown(str(error.__cause__ or error))
        raise RetryableError(f"the connection broke: {said}") from None

    def _raise_status(self, error: APIStatusError, sent: Dialect) -> NoReturn:
        """Turns an answer that is no reply into the error that says what to do next."""
        status, headers = error.status_code, error.response.headers
        code, param = error_field(error.body, "code"), error_field(error.body, "param")
        said = self._shown(error_field(error.body, "message", "detail") or error.response.content)
        message = f"HTTP {status}: {said}"
        if status in _REDIRECTS:
            place = self._shown(headers.get("location", "another address").partition("?")[0])
            message = f"HTTP {status}: it redirects to {place}; name that address as base_url"
        if status in _NO_ACCESS:
            message += self._way_out(status, is_model=is_unknown_model(said, code, param))
        if status in _REDIRECTS | _NO_ACCESS or code == _EMPTY_ACCOUNT:
            raise AccessError(f"{self._place}: {message}") from None
        if code in _FILTERED:
            raise FilteredError(message) from None
        if status in _RETRYABLE or status >= 500:
            raise RetryableError(message, retry_after(headers.get("retry-after"))) from None
        if status in _REJECTED:
            learned = sent.adapted_to(Rejection(said, param, code))
            if learned != sent:
                # Of requests rejected side by side for one parameter, the first has adapted it.
                if self._dialect == sent:
                    self._dialect = learned
                raise AdaptedError(message) from None
            if is_unknown_model(said, code, param):
                message += self._way_out(status, is_model=True)
                raise UnreachableError(message) from None
            if json_object(error.response.content) is None:
                raise UnreachableError(f"no OpenAI-compatible answer: {message}") from None
        raise ChatError(message) from None

    def _way_out(self, status: int, *, is_model: bool) -> str:
        has_key = self._api_key != _NO_KEY
        return way_out(status, self._url, is_model=is_model, has_key=has_key)

    def _shown(self, said: str | bytes) -> str:
        return excerpt(said, self._secrets)

    @property
    def _url(self) -> str:
        return _OPENAI_URL if self._address is None else self._address.url.rstrip("/")

    @property
    def _place(self) -> str:
        origin = f" ({self._origin})" if self._address and self._origin else ""
        return f"model {self._model} at {self._address.url if self._address else 'OpenAI'}{origin}"
