"""Packs by number as ids and pixels: the map-style dataset that every other door stands on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from packkit.base.errors import FormatError, SampleError
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.images.pixels import PixelDecoder
from packkit.loading.batch import FILLER
from packkit.loading.collate import LoadedPack, Masked, PackTokens
from packkit.loading.options import DatasetKeywords, DatasetOptions, resolve_options
from packkit.loading.sets import PackSets
from packkit.loading.step_items import StepItems
from packkit.samples import Pack, Sample
from packkit.shards import PackReader
from packkit.shards.pack_json import sample_name


class _Image(NamedTuple):
    """An image of a pack: which of which sample."""

    sample: int
    image: int


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPack:
    """A pack as ids, its images not decoded yet.

    Attributes:
        tokens: Ids of the pack.
        samples: The samples, images in memory as base64.
        images: Where each image that takes tokens stands in `samples`.
        place: Name of the pack in errors.
    """

    tokens: PackTokens
    samples: tuple[Sample, ...]
    images: tuple[_Image, ...]
    place: str


_FILLER = OpenedPack(
    PackTokens(
        FILLER,
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.empty(0, np.int64),
        np.empty((0, 2), np.int32),
    ),
    (),
    (),
    "filler",
)


class PackDataset(Dataset[LoadedPack]):
    """Packs by number, as ids and uint8 pixels.

    Give it to a ``DataLoader`` with `PackSampler` as ``batch_sampler`` and `collate_packs` as
    ``collate_fn``. It may be read from many threads and pickled to workers.

    Args:
        packs: A pack set, a ``.jsonl`` of packs, a folder of Open-Qwen2VL's ``*_packed.json``, or
            several of them, whose packs are then numbered one set after another.
        options: Options, see `DatasetOptions`; they may be given as keywords, too.

    Attributes:
        options: The options.
        sets: The pack sets.

    Raises:
        InputError: An option is not legal.
        FormatError: A path holds no packs, or no encoder where none is given.
        FingerprintError: Packs were made with another encoder than the others or the one given.
        MissingExtraError: The decoder is not installed.
    """

    def __init__(
        self,
        packs: str | Path | Sequence[str | Path],
        options: DatasetOptions | None = None,
        **keywords: Unpack[DatasetKeywords],
    ) -> None:
        self.options = options = resolve_options(DatasetOptions, options, {**keywords})
        paths = [packs] if isinstance(packs, str | Path) else packs
        self._decoder = PixelDecoder(
            options.decoder, options.image_size, max_pixels=options.max_pixels
        )
        self.sets = PackSets(paths, encoder=options.encoder, verify=options.verify)
        # Seen by the copies in worker processes, which set it.
        self._is_read_by_workers = torch.zeros((), dtype=torch.bool)
        self._is_read_by_workers.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        """Returns the number of packs."""
        return len(self.sets)

    def __getitem__(self, pack_id: int) -> LoadedPack:
        """Returns a pack, its images decoded.

        Args:
            pack_id: Number of the pack, or -1 for a filler, which holds nothing.

        Raises:
            IndexError: There is no such pack.
            ChecksumError: The bytes read are not those that were written.
            FormatError: The text is no pack, its lengths are not what the encoder counts, or an
                image cannot be decoded.
        """
        opened = self.open(pack_id)
        pixels = self.empty_pixels(len(opened.images))
        masked = [self.decode(opened, number, pixels[number]) for number in range(len(pixels))]
        return LoadedPack(
            opened.tokens, pixels, tuple(reason for reason in masked if reason is not None)
        )

    def __getitems__(self, pack_ids: Sequence[int]) -> list[LoadedPack]:
        """Returns the packs of a batch, as a ``DataLoader`` asks for them.

        What `PackSampler` gives says which step it is, and so does what is made of it. Raises what
        `__getitem__` does.
        """
        self._is_read_by_workers.fill_(get_worker_info() is not None)
        packs = [self[pack_id] for pack_id in pack_ids]
        if not isinstance(pack_ids, StepItems):
            return packs
        return StepItems(packs, pack_ids.start, pack_ids.state)

    @property
    def is_read_by_workers(self) -> bool:
        """Whether the last batch was read in a worker process of a ``DataLoader``."""
        return bool(self._is_read_by_workers)

    def forget_workers(self) -> None:
        """Makes `is_read_by_workers` that of batches that are read from now on."""
        self._is_read_by_workers.fill_(False)

    @property
    def encoder(self) -> SampleEncoder:
        """Encoder that turns samples into ids."""
        return self.sets.encoder

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What the tensors of a pack depend on, by name."""
        return {**self.sets.fingerprint, **self._decoder.spec}

    def empty_pixels(self, images: int) -> NDArray[np.uint8]:
        """Returns uint8 [images, 3, S, S] that nothing has been written to."""
        return np.empty((images, 3, self.options.image_size, self.options.image_size), np.uint8)

    def open(self, pack_id: int) -> OpenedPack:
        """Reads and encodes a pack; raises what `__getitem__` does, but for its images."""
        if pack_id == FILLER:
            return _FILLER
        if get_worker_info() is not None:
            # Workers are processes already. Without this, tokenizers warns of the fork, or starts
            # as many threads in each as the machine has processors.
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        reader, number = self.sets.find(pack_id)
        pack, place = reader.lazy(number), reader.place(number)
        sizes = [
            None if (0, 0) in of_sample else of_sample for of_sample in reader.image_sizes(number)
        ]
        encoded: list[EncodedSample] = []
        for sample, result in enumerate(self.encoder.encode_batch(pack.data, image_sizes=sizes)):
            if isinstance(result, SampleError):
                raise FormatError(
                    _sample_place(place, pack.data[sample], sample),
                    str(result),
                )
            encoded.append(result)
        _check_lengths(reader, pack, encoded, place)
        images = [
            _Image(sample, image)
            for sample, result in enumerate(encoded)
            for image in range(len(result.image_slots))
        ]
        return OpenedPack(_join(pack_id, encoded), pack.data, tuple(images), place)

    def decode(self, pack: OpenedPack, number: int, out: NDArray[np.uint8]) -> Masked | None:
        """Decodes one image of a pack.

        Args:
            pack: The pack.
            number: Number of the image among those that take tokens.
            out: uint8 [3, S, S], where its pixels go.

        Returns:
            What to ignore, where the image is bad and is to be masked.

        Raises:
            ChecksumError: The bytes read are not those that were written.
            FormatError: The image cannot be decoded and is not to be masked.
        """
        sample, image = pack.images[number]
        data = pack.samples[sample].image_bytes(image)
        try:
            self._decoder.decode_into(data, out)
        except SampleError as error:
            place = f"{_sample_place(pack.place, pack.samples[sample], sample)}: image {image}"
            if self.options.on_bad_image == "raise":
                raise FormatError(place, str(error)) from None
            out[:] = 0
            return Masked(sample, f"{place}: {error}")
        return None


def _check_lengths(
    reader: PackReader, pack: Pack, encoded: Sequence[EncodedSample], place: str
) -> None:
    """Sees that the lengths are those that were packed, or, in others' packs, that they fit."""
    lengths = [sample.length for sample in encoded]
    if reader.manifest is not None and reader.manifest.encoder is not None:
        for number, (counted, stored) in enumerate(zip(lengths, pack.lengths, strict=True)):
            if counted != stored:
                detail = f"the encoder counts {counted} tokens, {stored} were packed"
                raise FormatError(_sample_place(place, pack.data[number], number), detail)
    elif sum(lengths) > reader.capacity:
        detail = f"{sum(lengths)} tokens by this encoder, capacity {reader.capacity}"
        raise FormatError(place, f"{detail}; pack the data again")


def _join(pack_id: int, encoded: Sequence[EncodedSample]) -> PackTokens:
    lengths = np.array([sample.length for sample in encoded], np.int64)
    starts = np.cumsum(lengths) - lengths
    slots = [
        sample.image_slots + np.array([start, 0], np.int32)
        for sample, start in zip(encoded, starts.tolist(), strict=True)
    ]
    return PackTokens(
        pack_id,
        np.concatenate([sample.input_ids for sample in encoded]),
        np.concatenate([sample.labels for sample in encoded]),
        lengths,
        np.concatenate(slots),
    )


def _sample_place(place: str, sample: Sample, number: int) -> str:
    """Returns the name of a sample in errors, given that of its pack."""
    return f"{place}: {sample_name(sample.to_dict(with_images=False), number)}"
