"""Where the bytes of an image stand: in a record, in a file, in a part of a file."""

import base64
import errno
import io
import os
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from packkit.base.errors import RejectReason, SampleError
from packkit.images import (
    HEAD_BYTES,
    Base64Image,
    FileImage,
    ImagePeek,
    RangeImage,
    image_size,
    read_header,
)

IS_ROOT = os.geteuid() == 0


def encoded(kind="JPEG", size=(37, 23), **options):
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def reason_of(call, *args):
    with pytest.raises(SampleError) as caught:
        call(*args)
    return caught.value.reason


# Base64Image


@given(st.binary(max_size=50), st.integers(0, 60))
def test_base64_image(data, size):
    image = Base64Image(base64.b64encode(data).decode())
    assert image.read() == data
    assert image.peek(size) == ImagePeek(data, len(data), 0)


@pytest.mark.parametrize(
    "text", ["A", "AA", "AAA", "AAAAA", "AA=A", "-_-_", "AA AA", "AAAA\n", "AAAA====", "Ä===", "\0"]
)
def test_what_is_no_standard_base64(text):
    assert reason_of(Base64Image(text).read) is RejectReason.INVALID_BASE64
    assert reason_of(Base64Image(text).peek, 1) is RejectReason.INVALID_BASE64


@given(st.text(max_size=12))
@example("=")
def test_base64_is_read_as_the_standard_library_reads_it(text):
    try:
        expected = base64.b64decode(text, validate=True)
    except ValueError:
        assert reason_of(Base64Image(text).read) is RejectReason.INVALID_BASE64
    else:
        assert Base64Image(text).read() == expected


# FileImage


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_peek_and_read(tmp_path, data, size):
    path = tmp_path / "image"
    path.write_bytes(data)
    image = FileImage(str(path))
    stamp = (len(data), path.stat().st_mtime_ns)
    assert image.read() == data
    assert image.read_all() == (data, *stamp)
    assert image.peek(size) == (data[:size], *stamp)


def test_missing_file(tmp_path):
    image = FileImage(str(tmp_path / "nowhere" / "a.jpg"))
    for call in (image.read, image.read_all, lambda: image.peek(10)):
        with pytest.raises(SampleError, match=r"missing_image: a\.jpg: No such file") as caught:
            call()
        assert caught.value.reason is RejectReason.MISSING_IMAGE


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
        for name in ("pipe.jpg", "folder.jpg", "socket.jpg"):
            # A pipe without a writer would hang a plain open.
            assert reason_of(FileImage(str(tmp_path / name)).read) is RejectReason.MISSING_IMAGE
    assert reason_of(FileImage("/dev/zero").read) is RejectReason.MISSING_IMAGE


@pytest.mark.skipif(IS_ROOT, reason="root may read everything")
def test_forbidden_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    assert reason_of(FileImage(str(path)).read) is RejectReason.MISSING_IMAGE


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE])
def test_a_failing_machine_is_no_fault_of_the_sample(tmp_path, monkeypatch, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        FileImage(str(tmp_path / "a.jpg")).read()
    assert not isinstance(caught.value, SampleError)


# RangeImage


@given(st.binary(max_size=100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_range_is_read_whole_or_refused(tmp_path, data, offset, size, head):
    path = tmp_path / "archive"
    path.write_bytes(data)
    image = RangeImage(str(path), offset, size)
    if len(data[offset : offset + size]) == size:
        assert image.read() == data[offset : offset + size]
        assert image.peek(head) == (data[offset : offset + min(head, size)], size, 0)
    else:
        assert reason_of(image.read) is RejectReason.TRUNCATED_FILE


# Sizes


def test_image_size(tmp_path):
    data = encoded()
    (tmp_path / "a.jpg").write_bytes(data)
    assert image_size(data) == (37, 23)
    assert image_size(FileImage(str(tmp_path / "a.jpg"))) == (37, 23)
    assert reason_of(lambda: image_size(b"nothing")) is RejectReason.INVALID_IMAGE


def test_most_headers_end_in_the_head():
    assert read_header(encoded(size=(3000, 2000))[:HEAD_BYTES]) == ("JPEG", 3000, 2000, 1)
