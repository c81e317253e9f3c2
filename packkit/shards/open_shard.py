"""One shard open for reading: its packs and images by byte range, checked against its index."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pybase64
import xxhash

from packkit.base.errors import ChecksumError, FormatError
from packkit.encoding.image_tokens import ImageSizes
from packkit.images import ImagePeek, ImageRef
from packkit.samples import Pack
from packkit.shards.coverage import check_coverage
from packkit.shards.file_pool import FilePool
from packkit.shards.index import ShardIndex
from packkit.shards.locate import Shard
from packkit.shards.pack_json import cut_images, pack_from_record, parse_record, sample_name


class _StoredImage:
    """An image that stands in the text of its pack, in memory, until its bytes are wanted."""

    __slots__ = ("_base64", "_pack", "_row", "_shard")

    def __init__(self, shard: OpenShard, pack: int, row: int, base64: memoryview) -> None:
        self._shard = shard
        self._pack = pack
        self._row = row
        self._base64 = base64

    def read(self) -> bytes:
        """Returns the bytes of the image file.

        Raises:
            ChecksumError: The bytes are not those that were written.
        """
        return self._shard.decode(self._base64, self._pack, self._row)

    def peek(self, size: int) -> ImagePeek:
        """Returns all bytes: base64 is only known to be sound once it is decoded."""
        data = self.read()
        return ImagePeek(data, len(data), 0)


class OpenShard:
    """Reads one shard; packs are numbered from its start.

    Args:
        shard: Place of the shard.
        files: Pool of open files that its bytes are read through.
        verify: Whether bytes are compared with their checksums as they are read.
    """

    def __init__(self, shard: Shard, files: FilePool, *, verify: bool) -> None:
        self.shard = shard
        self._files = files
        self._verify = verify
        self._index: ShardIndex | None = None
        # The checksum of a pack's text covers its images too, provided that the index says rightly
        # where they stand; a manifest vouches for that.
        self._text_vouches_for_images = shard.index_checksum is not None

    @property
    def index(self) -> ShardIndex:
        """The index of the shard, opened on first use.

        Raises:
            ChecksumError: The index is not the one that was written.
            FormatError: The index cannot be read.
        """
        # Two threads may both open it: either result serves.
        if self._index is None:
            self._index = self._open_index()
        return self._index

    def place(self, pack: int) -> str:
        """Returns how errors call a pack."""
        return self.shard.place(pack, self.index.file(pack))

    def text(self, pack: int) -> bytes:
        """Returns the JSON text of a pack.

        Raises:
            ChecksumError: The bytes are not those that were written.
            FormatError: The file of the pack is missing or cut short.
        """
        text = self._read_text(pack)
        checksum = int(self.index.pack.checksum[pack])
        if self._verify and xxhash.xxh3_64_intdigest(text) != checksum:
            raise self._damage(pack, text)
        return text

    def pack(self, pack: int) -> Pack:
        """Returns a pack, its images in memory.

        Raises:
            ChecksumError: The bytes are not those that were written.
            FormatError: The text is not a pack.
        """
        return self._parse(pack, self.decode)

    def lazy_pack(self, pack: int) -> Pack:
        """Returns a pack whose images are decoded from its text when their bytes are wanted.

        Raises:
            ChecksumError: The bytes are not those that were written.
            FormatError: The text is not a pack.
        """
        return self._parse(pack, lambda base64, pack, row: _StoredImage(self, pack, row, base64))

    def _parse(
        self, pack: int, make_image: Callable[[memoryview, int, int], bytes | ImageRef]
    ) -> Pack:
        place, owners = self.place(pack), self.index.image.sample
        rest, encoded = self._cut(pack, self.text(pack))
        record = parse_record(rest, place)
        samples = self.index.samples_of(pack)
        if len(record["data"]) != samples.stop - samples.start:
            stated = samples.stop - samples.start
            raise FormatError(place, f"{len(record['data'])} samples, {stated} in its index")
        images: list[list[bytes | ImageRef]] = [[] for _ in record["data"]]
        first = self.index.images_of(pack).start
        for row, base64 in enumerate(encoded, first):
            images[int(owners[row])].append(make_image(base64, pack, row))
        return pack_from_record(record, images, place)

    def image_sizes(self, pack: int) -> list[ImageSizes]:
        """Returns width and height of the images of each sample of a pack, from the index."""
        rows, column = self.index.images_of(pack), self.index.image
        samples = self.index.samples_of(pack)
        sizes: list[list[tuple[int, int]]] = [[] for _ in range(samples.stop - samples.start)]
        columns = (column.sample, column.width, column.height)
        for sample, width, height in zip(
            *(values[rows].tolist() for values in columns), strict=True
        ):
            sizes[sample].append((width, height))
        return list(sizes)

    def image(self, pack: int, sample: int, image: int) -> bytes:
        """Returns the bytes of one image file; the pack around it is not read.

        Raises:
            IndexError: There is no such image.
            ChecksumError: The bytes are not those that were written.
            FormatError: The file of the pack is missing or cut short.
        """
        rows = self.index.images_of(pack)
        numbers = np.flatnonzero(self.index.image.sample[rows] == sample)
        if not 0 <= image < len(numbers):
            raise IndexError(
                f"{self.place(pack)}: sample {sample} has {len(numbers)} images, no image {image}"
            )
        row = rows.start + int(numbers[image])
        column = self.index.image
        size, offset = int(column.size[row]), int(column.offset[row])
        base64 = self._read(pack, size, offset, lambda: self._image_place(pack, row))
        return self._decode(base64, pack, row, check=self._verify)

    def _open_index(self) -> ShardIndex:
        path, checksum = self.shard.index_path, self.shard.index_checksum
        if self.shard.has_index:
            index = ShardIndex.open(path, checksum=checksum if self._verify else None)
            check_coverage(self.shard, index)
            return index
        # Numba takes half a second to load, and packs with an index do without it.
        from packkit.shards.scan import scan_shard

        return ShardIndex.from_buffer(scan_shard(self.shard, encoder=None), path)

    def _read(self, pack: int, size: int, offset: int, place: Callable[[], str]) -> bytes:
        file = self.index.file(pack)
        path = self.shard.path if file is None else self.shard.path / file
        try:
            data = self._files.read(path, size, offset)
        except FileNotFoundError:
            raise FormatError(place(), "its file is missing") from None
        except OSError as error:
            raise FormatError(place(), f"its file cannot be read ({error.strerror})") from None
        if len(data) < size:
            end = offset + len(data)
            raise FormatError(
                place(), f"its file ends at byte {end}, must reach byte {offset + size}"
            )
        return data

    def _read_text(self, pack: int) -> bytes:
        size, offset = (
            int(column[pack]) for column in (self.index.pack.size, self.index.pack.offset)
        )
        return self._read(pack, size, offset, lambda: self.place(pack))

    def _cut(self, pack: int, text: bytes) -> tuple[bytes, list[memoryview]]:
        rows, column = self.index.images_of(pack), self.index.image
        offsets = column.offset[rows] - self.index.pack.offset[pack]
        ranges = zip(offsets.tolist(), column.size[rows].tolist(), strict=True)
        return cut_images(text, ranges)

    def decode(self, base64: memoryview, pack: int, row: int) -> bytes:
        """Returns the bytes of an image, given its base64 from the text of its pack.

        Raises:
            ChecksumError: The bytes are not those that were written.
        """
        check = self._verify and not self._text_vouches_for_images
        return self._decode(base64, pack, row, check=check)

    def _decode(self, base64: bytes | memoryview, pack: int, row: int, *, check: bool) -> bytes:
        try:
            data = pybase64.b64decode(base64, validate=True)
        except ValueError as error:
            raise ChecksumError(self._image_place(pack, row), f"is not base64 ({error})") from None
        if check and xxhash.xxh3_64_intdigest(data) != int(self.index.image.checksum[row]):
            raise ChecksumError(self._image_place(pack, row), "its bytes are not those written")
        return data

    def _damage(self, pack: int, text: bytes) -> ChecksumError:
        """Names the first image that differs, or else the pack."""
        try:
            for row, base64 in enumerate(
                self._cut(pack, text)[1], self.index.images_of(pack).start
            ):
                self._decode(base64, pack, row, check=True)
        except ChecksumError as error:
            return error
        return ChecksumError(self.place(pack), "its text is not the one written")

    def _image_place(self, pack: int, row: int) -> str:
        """Returns how errors call an image; its sample by its id, where that can still be read."""
        rows, owners = self.index.images_of(pack), self.index.image.sample
        sample = int(owners[row])
        image = int(np.count_nonzero(owners[rows.start : row] == sample))
        name = f"sample {sample}"
        with suppress(FormatError, IndexError):
            text = self._read_text(pack)
            name = sample_name(parse_record(self._cut(pack, text)[0], "")["data"][sample], sample)
        return f"{self.place(pack)}: {name}: image {image}"
