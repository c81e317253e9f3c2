"""Malformed JSON lines: one bad record among good ones, and files that break off."""

import base64
import json
import struct
import zlib

from malformed import Case
from packing_inputs import png


def document(number=0, **changes):
    """A record of a few words."""
    return {"content": f"an axial slice of the chest, number {number}", **changes}


def turns(*messages, **changes):
    """A record of a conversation, each message as role and content."""
    parts = [{"role": role, "content": content} for role, content in messages]
    return {"messages": parts, **changes}


def line(record):
    """A record as one line; bytes are taken as they are."""
    return (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n"


def with_image(image):
    """A record with one image part and what stands for the image."""
    content = [{"type": "image"}, {"type": "text", "text": "a slice"}]
    return {"content": content, "images": [image]}


def encoded(data):
    """Base64 of bytes."""
    return base64.b64encode(data).decode()


def png_of(width, height):
    """A PNG whose header states a size that its pixels do not have."""
    fields = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(fields))
    return png(1)[:12] + fields + checksum + png(1)[33:]


def nested(depth):
    """A record whose meta is so deep."""
    opening, closing = b'{"a":' * depth, b"}" * depth
    return b'{"content": "x", "meta": ' + opening + b"1" + closing + b"}"


BAD = {
    "no JSON": (b"a caption", "invalid_json"),
    "an object cut off": (b'{"content": "x', "invalid_json"),
    "words after the object": (b'{"content": "x"} y', "invalid_json"),
    "a comma at the end": (b'{"content": "x",}', "invalid_json"),
    "single quotes": (b"{'content': 'x'}", "invalid_json"),
    "not a number": (b'{"content": NaN}', "invalid_sample"),
    "a control character in a string": (b'{"content": "x\x01"}', "invalid_json"),
    "a zero byte": (b'{"content": "x\0"}', "invalid_json"),
    "half a surrogate pair": (b'{"content": "\\ud800"}', "invalid_json"),
    "nesting past every parser": (nested(2000), "invalid_json"),
    "no UTF-8": (b'{"content": "\xff\xfe"}', "invalid_utf8"),
    "an encoded surrogate": (b'{"content": "\xed\xa0\x80"}', "invalid_utf8"),
    "nesting that cannot be written": (nested(253), "invalid_sample"),
    "an array": (b"[1, 2]", "invalid_sample"),
    "a string": (b'"x"', "invalid_sample"),
    "a number": (b"17", "invalid_sample"),
    "null": (b"null", "invalid_sample"),
    "an empty object": (b"{}", "invalid_sample"),
    "content and messages": ({**document(), "messages": []}, "invalid_sample"),
    "content that is a number": ({"content": 3}, "invalid_sample"),
    "content that is null": ({"content": None}, "invalid_sample"),
    "a part of no known type": ({"content": [{"type": "audio"}]}, "invalid_sample"),
    "a part that is a string": ({"content": ["x"]}, "invalid_sample"),
    "a part without its text": ({"content": [{"type": "text"}]}, "invalid_sample"),
    "a text that is a number": ({"content": [{"type": "text", "text": 1}]}, "invalid_sample"),
    "an unknown role": (turns(("tool", "x")), "invalid_sample"),
    "a role that is a number": (turns((1, "x")), "invalid_sample"),
    "messages that are no list": ({"messages": "x"}, "invalid_sample"),
    "a message that is no object": ({"messages": ["x"]}, "invalid_sample"),
    "a message without content": ({"messages": [{"role": "user"}]}, "invalid_sample"),
    "a train flag that is a word": (
        {"messages": [{"role": "assistant", "content": "x", "train": "no"}]},
        "invalid_sample",
    ),
    "meta that is a list": (document(meta=[1]), "invalid_sample"),
    "an id that is an object": (document(id={}), "invalid_sample"),
    "images that are no list": (document(images="x"), "invalid_sample"),
    "a token limit of 0": (document(token_limit=0), "invalid_sample"),
    "a negative token limit": (document(token_limit=-5), "invalid_sample"),
    "a token limit that is a word": (document(token_limit="5"), "invalid_sample"),
    "a token limit that is no whole number": (document(token_limit=1.5), "invalid_sample"),
    "a token limit past 32 bits": (document(token_limit=2**32), "invalid_sample"),
    "a token limit past 64 bits": (document(token_limit=2**63), "invalid_sample"),
    "no text": ({"content": ""}, "empty_text"),
    "blank text": ({"content": " \n\t "}, "empty_text"),
    "no parts": ({"content": []}, "empty_text"),
    "no messages": ({"messages": []}, "empty_text"),
    "a question alone": (turns(("user", "which plane?")), "empty_text"),
    "too many words": ({"content": "word after word " * 400}, "overlong"),
    "an image without its part": (document(images=[encoded(png(1))]), "image_count"),
    "a part without its image": (with_image("") | {"images": []}, "image_count"),
    "base64 of another alphabet": (with_image("-_*_"), "invalid_base64"),
    "base64 that breaks off": (with_image(encoded(png(1))[:9]), "invalid_base64"),
    "base64 with a blank": (with_image(encoded(png(1))[:8] + " "), "invalid_base64"),
    "an image of no bytes": (with_image(""), "missing_image"),
    "words for an image": (with_image(encoded(b"an image, really")), "invalid_image"),
    "an image cut in its header": (with_image(encoded(png(1)[:20])), "invalid_image"),
    "an image without width": (with_image(encoded(png_of(0, 5))), "invalid_image"),
    "an SVG": (with_image(encoded(b"<svg xmlns='http://www.w3.org/2000/svg'/>")), "invalid_image"),
    "an image of 400 megapixels": (
        with_image(encoded(png_of(20_000, 20_000))),
        "image_too_large",
    ),
    "an image that is a number": (with_image(3), "invalid_sample"),
    "an image that is null": (with_image(None), "missing_image"),
    "an image file that is not there": (with_image({"path": "none.png"}), "missing_image"),
    "an image file that is a folder": (with_image({"path": "folder"}), "missing_image"),
    "an image file of no bytes": (with_image({"path": "empty.png"}), "invalid_image"),
    "a path upwards": (with_image({"path": "../../etc/passwd"}), "unsafe_path"),
    "a path up and down": (with_image({"path": "a/../../x.png"}), "unsafe_path"),
    "a path from the root": (with_image({"path": "/etc/passwd"}), "unsafe_path"),
    "a path with a zero byte": (with_image({"path": "a\0.png"}), "unsafe_path"),
    "an empty path": (with_image({"path": ""}), "missing_image"),
    "a path that is a number": (with_image({"path": 3}), "invalid_sample"),
}

GOOD = line(document(1))
EXTRA_FILES = {"folder/other.txt": b"x", "empty.png": b""}


def _lines(name, data, packed=0, reason=None, **expected):
    return Case(f"lines: {name}", {"a.jsonl": data, **EXTRA_FILES}, packed, reason, **expected)


CASES = [
    *(
        _lines(name, GOOD + line(record) + GOOD, 2, reason)
        for name, (record, reason) in BAD.items()
    ),
    _lines("a byte order mark", b"\xef\xbb\xbf" + 2 * GOOD, 2),
    _lines("carriage returns", 2 * GOOD.replace(b"\n", b"\r\n"), 2),
    _lines("empty lines", b"\n" + GOOD + b"\n\n" + GOOD + b"\n", 2),
    _lines("no line break at the end", (2 * GOOD)[:-1], 2),
    _lines("two objects in a line", GOOD[:-1] + GOOD, error="a.jsonl"),
    _lines("a file cut off in a record", (2 * GOOD)[:-9], 1, error="a.jsonl"),
    _lines("a hole of zeros", GOOD + bytes(4096) + b"\n" + GOOD, error="a.jsonl"),
    _lines("a hole of zeros at the end", GOOD + bytes(4096), error="a.jsonl"),
    _lines("no bytes", b""),
    _lines("nothing but a bad line", b"x\n", 0, "invalid_json"),
    _lines(
        "a file cut off, and that allowed",
        (2 * GOOD)[:-9],
        1,
        "truncated_file",
        options=("--allow-truncated",),
    ),
]
