"""What the tests of sources share: files to scratch on, and one check for every container."""

import io
import itertools

import pytest
import xxhash
from hypothesis import strategies as st
from PIL import Image

from packkit.base.errors import SampleError
from packkit.images import DataRoot, RangeImage
from packkit.sources import SampleReader, Source

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    """Writes a file and returns its path; the next one of the same name replaces it."""
    folder = tmp_path_factory.mktemp("scratch")

    def write(name, data):
        path = folder / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="session")
def picture():
    """Encodes a picture: kind and size -> bytes."""

    def encode(kind="JPEG", size=(8, 6)):
        buffer = io.BytesIO()
        Image.new("RGB", size, "teal").save(buffer, kind)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def root(tmp_path_factory, picture):
    """A data root with the pictures a.jpg, b.png and deep/c.webp."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "deep").mkdir()
    for name, kind in (("a.jpg", "JPEG"), ("b.png", "PNG"), ("deep/c.webp", "WEBP")):
        (folder / name).write_bytes(picture(kind))
    return DataRoot(folder)


@pytest.fixture(scope="session")
def read(root):
    """Reads a record of a layout, given keys that do not matter."""

    def read(fields, layout="llava", ignored=()):
        source = Source(
            name="a.jsonl",
            path="a.jsonl",
            container="jsonl",
            layout=layout,
            columns={},
            root=root.folder,
            size=0,
            mtime_ns=0,
            ignored=tuple(ignored),
        )
        return SampleReader(source).read(fields)

    return read


@pytest.fixture(scope="session")
def records_of():
    """Any JSON objects, those with the given keys first of all."""

    def strategy(*keys, values=JSON):
        some = st.fixed_dictionaries({}, optional=dict.fromkeys(keys, values | JSON))
        return some | st.builds(dict.__or__, st.dictionaries(st.text(max_size=4), JSON), some)

    return strategy


@pytest.fixture(scope="session")
def all_records():
    """Reads every record of a file, span by span, and checks what each container promises."""
    return _all_records


def _all_records(container, path):
    data = path.read_bytes()
    spans = container.split(path)
    assert container.split(path) == spans
    borders = [offset for span in spans for offset in span] or [0, len(data)]
    assert borders[0] == 0 and borders[-1] == len(data)
    assert borders[1:-1:2] == borders[2:-1:2]
    records = []
    for span in spans:
        span_records = list(container.scan(path, span))
        assert all(span.start <= record.offset <= span.stop for record in span_records)
        records += span_records
    for before, after in itertools.pairwise(records):
        assert before.offset + before.size <= after.offset or before.size == 0 or not after.size
    for record in records:
        if not isinstance(record.fields, SampleError):
            part = data[record.offset : record.offset + record.size]
            assert len(part) == record.size
            assert record.checksum in (0, xxhash.xxh3_64_intdigest(part))
            assert in_memory(record.fields) == container.load(part)
    return records


def in_memory(fields):
    """The fields with the images that are references read."""
    return {
        key: value.read() if isinstance(value, RangeImage) else value
        for key, value in fields.items()
    }
