"""Credentials of an address are sent, and neither shown nor kept."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from packkit.base.errors import InputError
from packkit.infimed.chat.address import Address, Secrets


@pytest.mark.parametrize(
    ("text", "url", "login", "query"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1", None, {}),
        ("https://u:p%40ss@h.example/v1", "https://h.example/v1", ("u", "p@ss"), {}),
        ("https://u:p@ss@h.example/v1", "https://h.example/v1", ("u", "p@ss"), {}),
        ("https://token@[::1]:8/v1", "https://[::1]:8/v1", ("token", ""), {}),
        ("http://h/v1?api_key=K&v=2", "http://h/v1", None, {"api_key": "K", "v": "2"}),
    ],
)
def test_parts_of_an_address(text, url, login, query):
    address = Address.parse(text)
    assert (address.url, address.login, address.query) == (url, login, query)
    assert repr(address) == f"Address(url={url!r})"


@pytest.mark.parametrize(
    "text",
    [
        *("localhost:8000/v1", "user:secretword@host/v1", "ftp://user:secretword@host"),
        *("http://", "http:///v1", "http://host:port/v1", "http://[::1", "http://a..b/v1"),
        *("http://u:secretword/x@host/v1", "http://u:secret?word@host"),
        *("http://u:secret#word@host", "http://u:/secretword@host/v1"),
        *("http://h /v1", "http://h/v1\n", "http://h\x1b[2J/v1"),
        *("http://u:secretword", "http://u:secretword/v1", "u:secretword", "u:secretword/v1"),
    ],
)
def test_what_is_no_address_is_not_repeated(text):
    with pytest.raises(InputError, match="base_url must be like") as caught:
        Address.parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "localhost:8932/v1",
            "got 'localhost:8932/v1': write http://localhost:8932/v1, or https://",
        ),
        ("127.0.0.1:8000", "got '127.0.0.1:8000': write http://127.0.0.1:8000, or https://"),
        ("ftp://host/v1", "got the scheme ftp: write http:// or https://"),
        ("http:///v1", "got 'http:///v1': it has no host"),
        ("http://host:99999/v1", "got 'http://host:99999/v1': it has no host, or"),
        ("http://h /v1", "without spaces, line breaks"),
        ("http://h/v1\n", "without spaces, line breaks"),
        ("me:secret@host/v1", "begin with http:// or https://, name a host"),
        ("", "got nothing: leave it unset"),
        (" ", "got nothing: leave it unset"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_of_where_it_comes_from(text, words):
    with pytest.raises(InputError) as caught:
        Address.parse(text, "OPENAI_BASE_URL")
    start = "OPENAI_BASE_URL must be like http://localhost:8000/v1, "
    assert str(caught.value).startswith(start + words)


SECRET = st.text(min_size=4, max_size=20)


@given(SECRET, st.text(), st.text())
def test_a_secret_does_not_come_through(secret, before, after):
    hidden = Secrets([secret]).hide(f"{before} {secret} {after}")
    assume(secret not in f"{before} [hidden] {after}")
    assert secret not in hidden


@given(st.lists(SECRET), st.text())
def test_text_without_secrets_is_as_it_was(secrets, text):
    assume(not any(secret.casefold() in text.casefold() for secret in secrets))
    assert Secrets(secrets).hide(text) == text


def test_every_form_of_a_password_is_hidden():
    secrets = Secrets(Address.parse("https://me:p%40sswo%2Frd@host/v1?key=0123456789").secrets)
    said = "p@sswo/rd p%40sswo%2Frd Basic bWU6cEBzc3dvL3Jk me@host?key=0123456789x"
    assert secrets.hide(said) == "[hidden] [hidden] Basic [hidden] me@host?key=[hidden]x"


def test_words_that_hold_a_short_secret_stay():
    secrets = Secrets(["secret", "a1"])
    assert secrets.hide("secretion, secret; a1") == "secretion, [hidden]; a1"
