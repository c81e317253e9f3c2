"""An index made from the text of packs alone.

Finds every image's byte range by following brackets and strings, so that it works on what other
writers left, pretty-printed or not. For packs that packkit wrote the result is byte-identical to
the index written with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import xxhash

from packkit.errors import FormatError, SampleError
from packkit.images import image_size
from packkit.schema import Base64Image, Sample
from packkit.shards.index_builder import IndexBuilder
from packkit.shards.lines import (
    base64_of,
    pack_from_record,
    parse_record,
    sample_name,
    stored_images,
)
from packkit.shards.rows import UNKNOWN_TOKENS, ImagePlace, PackedSample, PackRow, make_row
from packkit_kernels.json_elements import ElementScanner

__all__ = ["scan_pack", "scan_packs"]

ImageTokens = Callable[[Sample, Sequence[tuple[int, int]]], Sequence[int]]
"""Returns the tokens of each image of a sample, given their sizes."""


def scan_packs(path: Path, *, is_folder: bool, image_tokens: ImageTokens | None) -> bytes:
    """Returns the bytes of the index of a file of packs, or of a folder of pack files.

    Args:
        path: the file, or the folder with ``pack-*.json`` or ``*_packed.json`` below it.
        is_folder: which of them it is.
        image_tokens: counts the tokens of images; None leaves them unknown.

    Raises:
        FormatError: a pack cannot be read.
    """
    index = IndexBuilder(is_folder=is_folder)
    for text, offset, file, place in _texts(path, is_folder=is_folder):
        index.append(scan_pack(text, offset, file, place, image_tokens))
    return index.to_bytes()


def scan_pack(
    text: bytes, offset: int, file: str | None, place: str, image_tokens: ImageTokens | None
) -> PackRow:
    """Returns what the index says of one pack.

    Args:
        text: its JSON text.
        offset: where it begins in its file.
        file: name of the file, where every pack has its own.
        place: where it stands, for errors.
        image_tokens: counts the tokens of images; None leaves them unknown.

    Raises:
        FormatError: it is no pack, or an image of it is no base64.
    """
    data, lengths = parse_record(text, place)
    images = [
        _decode(record, f"{place}: {sample_name(record, i)}") for i, record in enumerate(data)
    ]
    pack = pack_from_record(data, lengths, images, place)
    items = [
        _measure(sample, length, image_tokens)
        for sample, length in zip(pack.data, pack.lengths, strict=True)
    ]
    return make_row(text, items, _places(text, data, images, place), offset=offset, file=file)


def _texts(path: Path, *, is_folder: bool) -> Iterator[tuple[bytes, int, str | None, str]]:
    """Yields text, offset, file and place of every pack."""
    if is_folder:
        for file in _pack_files(path):
            name = file.relative_to(path).as_posix()
            yield file.read_bytes(), 0, name, name
        return
    offset = 0
    with open(path, "rb") as lines:
        for number, line in enumerate(lines):
            text = line.removesuffix(b"\n")
            yield text, offset, None, f"{path.name}: pack {number}"
            offset += len(line)


def _pack_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("pack-*.json"), *folder.rglob("*_packed.json")])


def _image_texts(record: dict[str, Any]) -> list[str]:
    texts = map(base64_of, stored_images(record))
    return [text for text in texts if text is not None]


def _decode(record: dict[str, Any], place: str) -> list[bytes]:
    try:
        return [Base64Image(text).read() for text in _image_texts(record)]
    except SampleError as error:
        raise FormatError(place, str(error)) from None


def _measure(sample: Sample, length: int, image_tokens: ImageTokens | None) -> PackedSample:
    sizes = [_size_or_unknown(image) for image in sample.images if isinstance(image, bytes)]
    tokens = [UNKNOWN_TOKENS] * len(sizes)
    if image_tokens is not None:
        tokens = list(image_tokens(sample, sizes))
    return PackedSample(sample, length, sizes, tokens)


def _size_or_unknown(image: bytes) -> tuple[int, int]:
    try:
        return image_size(image)
    except SampleError:
        return 0, 0


def _places(
    text: bytes, data: Sequence[dict[str, Any]], images: Sequence[Sequence[bytes]], place: str
) -> list[ImagePlace]:
    """Returns where the images stand in the text of a pack."""
    elements = [
        (start, stop)
        for start, stop in ElementScanner(depth=2).feed(text).tolist()
        if text[start : start + 1] == b"{"
    ]
    if len(elements) != len(data):
        raise FormatError(place, f"{len(elements)} samples found in its text, {len(data)} parsed")
    places = []
    for number, ((start, stop), record) in enumerate(zip(elements, data, strict=True)):
        ranges = _image_ranges(text[start:stop], record, f"{place}: {sample_name(record, number)}")
        for (offset, size), image in zip(ranges, images[number], strict=True):
            checksum = xxhash.xxh3_64_intdigest(image)
            places.append(ImagePlace(number, start + offset, size, checksum))
    return places


def _image_ranges(text: bytes, record: dict[str, Any], place: str) -> Iterator[tuple[int, int]]:
    """Yields offset and size of the base64 of each image in the text of a sample."""
    elements = ElementScanner(depth=2).feed(text).tolist()
    stored = stored_images(record)
    # The arrays of a sample stand in its text in the order in which its keys were parsed.
    arrays = [value for value in record.values() if isinstance(value, list)]
    before = sum(len(array) for array in itertools.takewhile(lambda a: a is not stored, arrays))
    for (start, stop), element in zip(elements[before:], stored, strict=False):
        encoded = base64_of(element)
        if encoded is None:
            continue
        quoted = b'"%s"' % encoded.encode()
        found = text.find(quoted, start, stop)
        if found < 0:
            raise FormatError(place, "its base64 is written with escapes; pack it again")
        yield found + 1, len(quoted) - 2
