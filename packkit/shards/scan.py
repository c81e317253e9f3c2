"""An index made from the text of packs alone.

Finds every image's byte range by following brackets and strings, so that it works on what other
writers left, pretty-printed or not. For packs that packkit wrote the result is byte-identical to
the index written with them. Every image is decoded from base64 for its checksum, and its header is
read for its size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import xxhash

from packkit.base.errors import FormatError, SampleError
from packkit.base.files import names_in_errors, read_file
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.encoding.image_tokens import ImageSizes
from packkit.images import Base64Image, image_size
from packkit.samples import Pack, Sample
from packkit.shards.index_columns import UNKNOWN_TOKENS, ImagePlace, MeasuredSample, make_row
from packkit.shards.index_table import IndexBuilder
from packkit.shards.locate import Shard
from packkit.shards.pack_json import (
    base64_of,
    pack_from_record,
    parse_record,
    sample_name,
    stored_images,
)
from packkit_kernels.json_elements import ElementScanner

_LINE_BUFFER_BYTES = 1 << 20

# The pack, its data, a sample, an array in it.
_ARRAY_DEPTH = 4

_NO_SIZE = (0, 0)


class PackText(NamedTuple):
    """The text of a pack as it stands in its file.

    Attributes:
        text: JSON text, white space around it left out.
        offset: Where the text begins in its file, bytes.
        file: Name of the file, where every pack has its own.
        place: Name of the pack, as errors call it.
    """

    text: bytes
    offset: int
    file: str | None
    place: str


class ScannedPack(NamedTuple):
    """What the text of a pack holds.

    Attributes:
        pack: The pack itself, its images in memory.
        sizes: Width and height of every image of each sample; 0 where a header cannot be read.
        places: Where the images stand in the text.
    """

    pack: Pack
    sizes: list[ImageSizes]
    places: list[ImagePlace]


def scan_shard(shard: Shard, *, encoder: SampleEncoder | None) -> bytes:
    """Returns the bytes of the index of a shard.

    Args:
        shard: Where the packs of the shard stand.
        encoder: Encoder that counts the tokens of images; without one they stay unknown.

    Raises:
        FormatError: A pack cannot be read.
    """
    index = IndexBuilder(is_folder=shard.is_folder)
    for item in _texts(shard):
        pack, sizes, places = scan_pack(item.text, item.place)
        tokens = [[UNKNOWN_TOKENS] * len(sample_sizes) for sample_sizes in sizes]
        if encoder is not None:
            encoded = encode_samples(encoder, pack.data, sizes)
            tokens = [image_tokens(*pair) for pair in zip(encoded, sizes, strict=True)]
        items = list(map(MeasuredSample, pack.data, pack.lengths, sizes, tokens))
        index.append(make_row(item.text, items, places, offset=item.offset, file=item.file))
    return index.to_bytes()


def scan_pack(text: bytes, place: str) -> ScannedPack:
    """Reads a pack from its text alone.

    Args:
        text: JSON text of the pack.
        place: Where the pack stands, for errors.

    Raises:
        FormatError: The text is not a pack, or an image in it is not plain base64.
    """
    record = parse_record(text, place)
    ranges = _element_ranges(text, record, place)
    images: list[list[bytes]] = []
    places: list[ImagePlace] = []
    for number, sample in enumerate(record["data"]):
        where = f"{place}: {sample_name(sample, number)}"
        ranged = _images(text, sample, ranges, where)
        images.append([image for image, _, _ in ranged])
        for image, offset, size in ranged:
            places.append(ImagePlace(number, offset, size, xxhash.xxh3_64_intdigest(image)))
    pack = pack_from_record(record, images, place)
    return ScannedPack(
        pack, [list(map(_size_or_unknown, sample_images)) for sample_images in images], places
    )


def encode_samples(
    encoder: SampleEncoder, samples: Sequence[Sample], sizes: Sequence[ImageSizes]
) -> list[EncodedSample | SampleError]:
    """Encodes the samples of a pack; one whose image has no readable size may be an error.

    Args:
        encoder: Encoder of the samples.
        samples: Samples of the pack.
        sizes: Width and height of the images of each sample; 0 where a header cannot be read.
    """
    # The encoder then looks for itself, if it needs sizes at all, and says what is wrong.
    known = [None if _NO_SIZE in sample_sizes else sample_sizes for sample_sizes in sizes]
    return encoder.encode_batch(samples, image_sizes=known)


def image_tokens(encoded: EncodedSample | SampleError, sizes: ImageSizes) -> list[int]:
    """Returns the tokens of each image of a sample.

    Args:
        encoded: What the encoder gave for the sample.
        sizes: Width and height of each image of the sample.

    Returns:
        Tokens of each image: 0 past the cut, -1 for all where the sample cannot be trained on.
    """
    if isinstance(encoded, SampleError):
        return [UNKNOWN_TOKENS] * len(sizes)
    kept: list[int] = encoded.image_slots[:, 1].tolist()
    return kept + [0] * (len(sizes) - len(kept))


def _texts(shard: Shard) -> Iterator[PackText]:
    if shard.is_folder:
        for number, name in enumerate(shard.pack_files()):
            data = read_file(shard.path / name)
            yield PackText(*_stripped(data, 0), name, shard.place(number, name))
        return
    offset = packs = 0
    with names_in_errors(shard.path), open(shard.path, "rb", buffering=_LINE_BUFFER_BYTES) as lines:
        for line in lines:
            if not line.isspace():
                yield PackText(*_stripped(line, offset), None, shard.place(packs, None))
                packs += 1
            offset += len(line)


def _stripped(data: bytes, offset: int) -> tuple[bytes, int]:
    """Returns a text without the white space around it, and where it begins."""
    return data.strip(), offset + len(data) - len(data.lstrip())


def _element_ranges(
    text: bytes, record: dict[str, Any], place: str
) -> dict[int, list[tuple[int, int]]]:
    """Finds the elements of every array that stands in a sample, which is four brackets deep.

    An object is parsed in the order of its text, so the elements found are those parsed, in order.

    Returns:
        Start and end of each element of each array, by the id of the parsed array.
    """
    scanned = ElementScanner(depth=_ARRAY_DEPTH).feed(text).tolist()
    arrays = list(_arrays(record, _ARRAY_DEPTH))
    if len(scanned) != sum(map(len, arrays)):
        raise FormatError(place, "an object in it has the same key twice")
    ranges = iter(scanned)
    return {id(array): list(itertools.islice(ranges, len(array))) for array in arrays}


def _arrays(value: object, depth: int) -> Iterator[list[Any]]:
    """Yields the arrays that stand `depth` brackets deep, in the order of the text."""
    if depth == 1:
        if isinstance(value, list):
            yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _arrays(inner, depth - 1)


def _images(
    text: bytes, sample: dict[str, Any], ranges: dict[int, list[tuple[int, int]]], place: str
) -> list[tuple[bytes, int, int]]:
    """Returns each image of a sample with offset and size of its base64 in the text."""
    array = stored_images(sample)
    images: list[tuple[bytes, int, int]] = []
    for element, (start, stop) in zip(array, ranges.get(id(array), []), strict=True):
        encoded = base64_of(element)
        if encoded is None:
            continue
        where = f"{place}: image {len(images)}"
        quoted = b'"%s"' % encoded.encode()
        # Searching for so long a text costs more than all the rest, and seldom has to be done.
        quote = start if text.startswith(quoted, start) else text.find(quoted, start, stop)
        if quote < 0:
            raise FormatError(where, "its base64 must be written without escapes")
        try:
            images.append((Base64Image(encoded).read(), quote + 1, len(encoded)))
        except SampleError as error:
            raise FormatError(where, str(error)) from None
    return images


def _size_or_unknown(image: bytes) -> tuple[int, int]:
    try:
        return image_size(image)
    except SampleError:
        return _NO_SIZE
