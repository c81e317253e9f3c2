r"""The JSON text of a pack: one line of a shard.

``{"data":[<sample>,...],"lengths":[...]}``, the same in both kinds of storage but for the line
end. In a sample ``"images":[...]`` always stands last, so a writer splices the base64 in and knows
every byte range, and a reader cuts the ranges out and parses only the rest. Both ways the images
are never seen by a JSON parser: a pack of ten 60 KB images takes a fraction of what parsing takes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pybase64
import xxhash

from packkit.base.errors import FormatError, RejectReason, SampleError
from packkit.images import ImageRef
from packkit.samples import Pack, Sample
from packkit.samples.open_qwen2vl import is_open_qwen2vl, sample_from_open_qwen2vl
from packkit.shards.index_columns import ImagePlace


def encode_pack(
    samples: Sequence[Sample], lengths: Sequence[int]
) -> tuple[bytes, list[ImagePlace]]:
    """Returns the text of a pack, without a line end, and where its images stand in it.

    Raises:
        SampleError: An image cannot be read, or the sample holds what JSON cannot.

    >>> text, places = encode_pack([Sample(content=(None,), images=(b"GIF",))], [144])
    >>> text
    b'{"data":[{"content":[{"type":"image"}],"images":["R0lG"]}],"lengths":[144]}'
    >>> [text[place.offset : place.offset + place.size] for place in places]
    [b'R0lG']
    """
    pieces = [b'{"data":[']
    places: list[ImagePlace] = []
    size = len(pieces[0])
    for number, sample in enumerate(samples):
        head = b"%s%s" % (b"," if number else b"", _head(sample))
        pieces.append(head)
        size += len(head)
        for image in range(len(sample.images)):
            data = sample.image_bytes(image)
            opening, base64 = b',"' if image else b'"', pybase64.b64encode(data)
            # Joined once at the end: a copy of its own for each image would cost as much again.
            pieces += (opening, base64, b'"')
            size += len(opening)
            checksum = xxhash.xxh3_64_intdigest(data)
            places.append(ImagePlace(number, size, len(base64), checksum))
            size += len(base64) + 1
        pieces.append(b"]}")
        size += 2
    pieces.append(b'],"lengths":%s}' % orjson.dumps(list(lengths)))
    return b"".join(pieces), places


def cut_images(text: bytes, ranges: Iterable[tuple[int, int]]) -> tuple[bytes, list[memoryview]]:
    """Takes the images out of the text of a pack.

    Args:
        text: JSON text of the pack.
        ranges: Offset and size of the base64 of each image in the text, in order.

    Returns:
        The text with empty strings for images, and the base64 of each.

    >>> rest, images = cut_images(b'{"images":["R0lG","iVBO"]}', [(12, 4), (19, 4)])
    >>> rest, [bytes(image) for image in images]
    (b'{"images":["",""]}', [b'R0lG', b'iVBO'])
    """
    view = memoryview(text)
    rest: list[memoryview] = []
    images: list[memoryview] = []
    end = 0
    for offset, size in ranges:
        rest.append(view[end:offset])
        end = offset + size
        images.append(view[offset:end])
    rest.append(view[end:])
    return b"".join(rest), images


def parse_record(text: bytes, place: str) -> dict[str, Any]:
    """Parses the text of a pack, with its images or without.

    Args:
        text: JSON text of the pack.
        place: Where the pack stands, for the error.

    Returns:
        The pack as it is stored: ``data``, a list of objects, and as many ``lengths``, in tokens.

    Raises:
        FormatError: The text is not a pack.
    """
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FormatError(place, f"must be a JSON object ({error})") from None
    if not isinstance(record, dict) or not record.keys() >= {"data", "lengths"}:
        raise FormatError(place, 'must be an object with the keys "data" and "lengths"')
    data, lengths = record["data"], record["lengths"]
    if not isinstance(data, list) or not all(isinstance(sample, dict) for sample in data):
        raise FormatError(place, "data must be a list of objects")
    if not isinstance(lengths, list) or not all(map(_is_length, lengths)):
        raise FormatError(place, "lengths must be a list of positive integers")
    if len(data) != len(lengths):
        raise FormatError(place, f"{len(data)} samples but {len(lengths)} lengths")
    return record


def stored_images(record: dict[str, Any]) -> list[Any]:
    """Returns the JSON array in which the images of a stored sample stand.

    >>> stored_images({"content": [{"type": "image"}], "images": ["R0lG"]})
    ['R0lG']
    >>> stored_images({"texts": [None, "A."], "image_info": [{"image_base64": "R0lG"}, None]})
    [{'image_base64': 'R0lG'}, None]
    """
    images = record.get("image_info" if _is_foreign(record) else "images")
    return images if isinstance(images, list) else []


def base64_of(element: object) -> str | None:
    """Returns the base64 in an element of `stored_images`; None where it holds no image.

    >>> base64_of("R0lG"), base64_of({"image_base64": "R0lG"}), base64_of(None)
    ('R0lG', 'R0lG', None)
    """
    text = element.get("image_base64") if isinstance(element, dict) else element
    return text if isinstance(text, str) else None


def pack_from_record(
    record: dict[str, Any], images: Sequence[Sequence[bytes | ImageRef]], place: str
) -> Pack:
    """Returns the pack that was stored.

    Args:
        record: Pack as `parse_record` gives it, with the base64 of its images or without.
        images: Images of each sample, as bytes or as references that are decoded later.
        place: Where the pack stands, for the error.

    Raises:
        FormatError: A sample is not legal.
    """
    samples: list[Sample] = []
    for number, (sample, sample_images) in enumerate(zip(record["data"], images, strict=True)):
        try:
            samples.append(_read_sample(sample, sample_images))
        except SampleError as error:
            raise FormatError(f"{place}: {sample_name(sample, number)}", str(error)) from None
    return Pack(tuple(samples), tuple(record["lengths"]))


def sample_name(record: dict[str, Any], number: int) -> str:
    """Names a stored sample: by its id, or else by its number in the pack.

    >>> sample_name({"id": "roco/9"}, 3), sample_name({}, 3)
    ('sample "roco/9"', 'sample 3')
    """
    name = record.get("id", record.get("key"))
    return f"sample {number}" if name is None else f'sample "{name}"'


def _head(sample: Sample) -> bytes:
    """Returns the JSON of a sample up to its first image."""
    try:
        text = orjson.dumps(sample.to_dict(with_images=False))
    except orjson.JSONEncodeError as error:
        raise SampleError(RejectReason.INVALID_SAMPLE, f"has no JSON form ({error})") from None
    return text[:-1] + b',"images":['


def _read_sample(record: dict[str, Any], images: Sequence[bytes | ImageRef]) -> Sample:
    if _is_foreign(record):
        return dataclasses.replace(sample_from_open_qwen2vl(record), images=tuple(images))
    if len(stored_images(record)) != len(images):
        raise SampleError(RejectReason.INVALID_SAMPLE, "an image must be a base64 string")
    return Sample.from_dict(record, images=images)


def _is_foreign(record: dict[str, Any]) -> bool:
    return is_open_qwen2vl(record) and not record.keys() & {"messages", "content"}


def _is_length(value: object) -> bool:
    return type(value) is int and 0 < value < 1 << 31
