"""The on-disk format: packs as JSON that any reader can read, made fast and checked by an index."""

from packkit.shards.index import ShardIndex
from packkit.shards.index_columns import FORMAT_VERSION, MeasuredSample
from packkit.shards.manifest import MANIFEST, REJECTS, Manifest, ShardEntry
from packkit.shards.reader import PackReader
from packkit.shards.rebuild import rebuild_index
from packkit.shards.set_encoder import encoder_checksums
from packkit.shards.set_writer import PackWriter
from packkit.shards.shard_writer import ShardWriter
from packkit.shards.verify import VerifyReport, verify_packs

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "REJECTS",
    "Manifest",
    "MeasuredSample",
    "PackReader",
    "PackWriter",
    "ShardEntry",
    "ShardIndex",
    "ShardWriter",
    "VerifyReport",
    "encoder_checksums",
    "rebuild_index",
    "verify_packs",
]
