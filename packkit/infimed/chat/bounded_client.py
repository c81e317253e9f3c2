"""The HTTP client of a chat model: it follows no redirect and reads no endless answer."""

from __future__ import annotations

from typing import Any

from openai import DefaultAsyncHttpxClient

from packkit.infimed.chat.chat_model import RetryableError

# What is read of an answer's headers; the rest, such as a charset, is the server's word alone.
_HEADERS = ("retry-after", "location")


class BoundedClient(DefaultAsyncHttpxClient):
    """Reads answers whole, up to a size.

    Args:
        limit: Bytes that an answer may have.
        options: Options of httpx's asynchronous client.
    """

    def __init__(self, *, limit: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._limit = limit

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401
        """Sends a request; see httpx.

        Raises:
            RetryableError: The answer is too large.
        """
        # A redirect would carry conversation and key to an address that nobody has named.
        options |= {"stream": True, "follow_redirects": False}
        response = await super().send(request, **options)
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > self._limit:
                    raise RetryableError(f"the answer has more than {self._limit:,} bytes")
        finally:
            await response.aclose()
        headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
        headers["content-type"] = "application/json; charset=utf-8"
        return type(response)(
            response.status_code, headers=headers, content=bytes(body), request=request
        )
