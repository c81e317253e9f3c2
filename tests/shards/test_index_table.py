"""The table of an index: one uncompressed batch, labels in its metadata."""

import orjson
import pyarrow as pa

from packkit.shards.index_table import IndexBuilder


def test_the_file_is_one_uncompressed_batch(build_index, index_row):
    assert pa.ipc.open_file(pa.BufferReader(build_index([index_row]))).num_record_batches == 1
    # The checksum stands in the file as it is: nothing is compressed.
    marked = index_row._replace(pack=index_row.pack._replace(checksum=0x0123456789ABCDEF))
    assert (0x0123456789ABCDEF).to_bytes(8, "little") in build_index([marked])


def test_labels_are_numbered_as_they_first_appear(build_index, index_row):
    sample = index_row.samples[0]
    samples = (
        sample._replace(group="b", origin="z"),
        sample._replace(group="a", origin="y"),
        sample._replace(group="b", origin=None),
    )
    data = build_index([index_row._replace(samples=samples), index_row])
    table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
    assert orjson.loads(table.schema.metadata[b"packkit.groups"]) == ["b", "a", "roco"]
    assert orjson.loads(table.schema.metadata[b"packkit.origins"]) == ["z", "y", "a.jsonl"]
    assert table.schema.metadata[b"packkit.format_version"] == b"2"
    numbers = [
        [(sample["group"], sample["origin"]) for sample in pack]
        for pack in table.column("samples").to_pylist()
    ]
    assert numbers == [[(0, 0), (1, 1), (0, -1)], [(2, 2), (-1, -1)]]


def test_a_builder_counts_what_it_was_given(index_row):
    builder = IndexBuilder(is_folder=False)
    assert (builder.packs, builder.samples, builder.images) == (0, 0, 0)
    for row in (index_row, index_row._replace(images=()), index_row):
        builder.append(row)
    assert (builder.packs, builder.samples, builder.images) == (3, 6, 2)
