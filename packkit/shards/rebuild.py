"""Making the sidecars of packs again, or for the first time for packs that others wrote."""

from __future__ import annotations

from pathlib import Path

from packkit.base.engine import Progress
from packkit.base.files import write_atomically
from packkit.encoding import SampleEncoder
from packkit.shards.locate import locate


def rebuild_index(
    path: str | Path, *, encoder: SampleEncoder | None = None, on_progress: Progress | None = None
) -> list[Path]:
    """Writes the index of every shard from its packs alone.

    Args:
        path: A pack set, a ``.jsonl`` of packs, or a folder of ``*_packed.json`` files.
        encoder: Encoder that counts the tokens of images; by default the set's own. Without any,
            they are -1.
        on_progress: Is told how many shards are done.

    Returns:
        Paths of the indexes written. For a pack set their bytes are those that its writer wrote.

    Raises:
        FormatError: A pack cannot be read.
    """
    # Numba takes half a second to load, and readers of packs with an index do without it.
    from packkit.shards.scan import scan_shard

    folder = Path(path)
    shards, manifest = locate(folder)
    if encoder is None and manifest is not None and manifest.encoder is not None:
        encoder = SampleEncoder.load(folder / "encoder")
    for number, shard in enumerate(shards):
        if on_progress is not None:
            on_progress("index", number, len(shards))
        write_atomically(shard.index_path, scan_shard(shard, encoder=encoder))
    return [shard.index_path for shard in shards]
