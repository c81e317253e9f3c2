"""Where an endpoint is, apart from what opens it: credentials are sent, never shown or kept."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from packkit.base.errors import InputError

_HIDDEN = "[hidden]"
# The name of a host, or its address of IPv4 or IPv6.
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[\da-f]*:[\da-f:.]*", re.ASCII)
# A shorter secret is a word or a letter of any text.
_SHORTEST = 4
# A secret of this length is told from text wherever it stands; a shorter one where it is a word.
_UNMISTAKABLE = 8


@dataclass(frozen=True, slots=True)
class Address:
    """Address of an endpoint.

    Attributes:
        url: URL without user, password and query: what messages and files may name.
        login: User and password; None where the address has none.
        query: Parameters of every request, such as a key.
    """

    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str, origin: str = "base_url") -> Self:
        """Reads an address such as ``https://user:password@host/v1?key=K``.

        Args:
            text: The address.
            origin: Name of the option or variable that it comes from.

        Raises:
            InputError: The text is no such address; the message repeats it only where it holds
                no login or query.
        """
        parts = _split(text)
        if parts is None:
            raise InputError(f"{origin} must be like http://localhost:8000/v1, {_fault(text)}")
        login = None
        if parts.username is not None:
            login = unquote(parts.username), unquote(parts.password or "")
        host = parts.netloc.rpartition("@")[2]
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(f"{parts.scheme}://{host}{parts.path}", login, query)

    @property
    def secrets(self) -> list[str]:
        """What opens the endpoint: password, or else user, and values of the query."""
        if self.login is None:
            return list(self.query.values())
        user, password = self.login
        header = b64encode(f"{user}:{password}".encode()).decode()
        return [password or user, header, *self.query.values()]


class Secrets:
    """Secrets that this process knows, to be hidden wherever a server repeats them.

    Args:
        values: The secrets; those of fewer than four characters cannot be told from text.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {
            form
            for value in values
            for form in (value, quote(value, safe=""), json.dumps(value)[1:-1])
        }
        patterns = [
            re.escape(form)
            if len(form) >= _UNMISTAKABLE
            else rf"(?<![^\W_]){re.escape(form)}(?![^\W_])"
            for form in sorted(forms, key=len, reverse=True)
            if len(form) >= _SHORTEST
        ]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def hide(self, text: str) -> str:
        """Returns a text without the secrets."""
        return text if self._pattern is None else self._pattern.sub(_HIDDEN, text)


def _fault(text: str) -> str:
    """Returns what is wrong with a text that is no address, and the way out."""
    if not text.strip():
        return "got nothing: leave it unset where OpenAI's own endpoint is meant"
    scheme, mark, _ = text.partition("://")
    is_scheme = bool(mark) and re.fullmatch(r"[a-z][\w+.-]*", scheme, re.I | re.A) is not None
    if is_scheme and scheme.lower() not in ("http", "https"):
        return f"got the scheme {scheme}: write http:// or https://"
    if not text.isprintable() or " " in text:
        return "without spaces, line breaks and other characters that cannot be seen"
    if re.search("[@?#]", text):
        # What may hold a login or a key is not shown.
        begin = "" if is_scheme else "begin with http:// or https://, "
        return (
            f"{begin}name a host, and hold @, /, ? and # of a user name, password or key as %40, "
            "%2F, %3F and %23"
        )
    if not is_scheme and _split(f"http://{text}") is not None:
        return f"got {text!r}: write http://{text}, or https://{text}"
    reason = "it has no host, or a host or port that cannot be"
    rest = text[len(scheme) + len(mark) :] if is_scheme else text
    # What stands behind a colon and is no port may be a password.
    return f"got {text!r}: {reason}" if re.fullmatch(r"[^:]*(:\d*)?(/.*)?", rest) else reason


def _split(text: str) -> SplitResult | None:
    """Returns the parts of an address; None where it is none or not encoded."""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return None
    tail = parts.path + parts.query
    # Behind the host, @ and # are the rest of a password that is not encoded.
    is_whole = text.isprintable() and not re.search("[ #]", text) and "@" not in tail
    return parts if is_address and is_whole and _HOST.fullmatch(parts.hostname or "") else None
