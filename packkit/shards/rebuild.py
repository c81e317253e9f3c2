"""Making the sidecars of packs again, or for the first time for packs that others wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from packkit.encoding import SampleEncoder
from packkit.errors import SampleError
from packkit.files import write_atomically
from packkit.schema import Sample
from packkit.shards.locate import locate

__all__ = ["count_image_tokens", "rebuild_index"]

ImageTokens = Callable[[Sample, Sequence[tuple[int, int]]], Sequence[int]]


def rebuild_index(path: str | Path, *, encoder: SampleEncoder | None = None) -> list[Path]:
    """Writes the index of every shard from its packs alone.

    Args:
        path: a pack set, a ``.jsonl`` of packs, or a folder of ``*_packed.json`` files.
        encoder: counts the tokens of images; by default the set's own. Without one they are -1.

    Returns:
        The files written. For a pack set their bytes are those that its writer wrote.

    Raises:
        FormatError: a pack cannot be read.
    """
    folder = Path(path)
    shards, manifest = locate(folder)
    if encoder is None and manifest is not None and manifest.encoder is not None:
        encoder = SampleEncoder.load(folder / "encoder")
    image_tokens = None if encoder is None else count_image_tokens(encoder)
    for shard in shards:
        write_atomically(shard.index_path, shard.scan(image_tokens))
    return [shard.index_path for shard in shards]


def count_image_tokens(encoder: SampleEncoder) -> ImageTokens:
    """Returns a function that counts the tokens of each image of a sample, 0 past its cut."""

    def count(sample: Sample, sizes: Sequence[tuple[int, int]]) -> Sequence[int]:
        if not sizes:
            return ()
        try:
            slots = encoder.encode(sample, image_sizes=sizes).image_slots
        except SampleError:
            # Others' packs may hold samples that nothing can be trained on.
            return [0] * len(sizes)
        kept: list[int] = slots[:, 1].tolist()
        return kept + [0] * (len(sizes) - len(kept))

    return count
