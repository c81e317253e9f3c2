"""Tars made for tests, and what is looked at in their records."""

import io
import tarfile

import pytest

from packkit.base.errors import SampleError
from packkit.images import RangeImage
from packkit.sources.containers.tar import Tar

BLOCK = tarfile.BLOCKSIZE
FORMATS = [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT]


def tar_of(members, format=tarfile.PAX_FORMAT, end=True):
    """A tar of (name, bytes), in order; `end` False leaves out the end-of-archive blocks."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        stop = buffer.tell()
    return buffer.getvalue() if end else buffer.getvalue()[:stop]


@pytest.fixture
def scan_tar(tmp_path, all_records):
    """Writes a tar and returns its records."""

    def write_and_scan(members, **options):
        data = members if isinstance(members, bytes) else tar_of(members, **options)
        path = tmp_path / "a.tar"
        path.write_bytes(data)
        return all_records(Tar(), path)

    return write_and_scan


def values(fields):
    """The fields with references to images read."""
    return {
        key: value.read() if isinstance(value, RangeImage) else value
        for key, value in fields.items()
    }


def reason_of(record):
    assert isinstance(record.fields, SampleError)
    return record.fields.reason
