"""A tar that is cut off or damaged: what is whole is read, and the rest is not silent."""

import tarfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tar_files import BLOCK, reason_of, tar_of

from packkit.base import reads
from packkit.base.errors import RejectReason, SampleError, UnreadError
from packkit.sources.containers.tar import Tar

MEMBERS = [
    ("a.jpg", b"x" * 600),
    ("a.txt", b"caption"),
    ("b.jpg", b"y"),
    ("b.txt", b"more"),
    ("c.jpg", b"z"),
    ("c.txt", b"last"),
]
# A header and its padded data take two blocks, the first image three.
MEMBER_ENDS = [block * BLOCK for block in (3, 5, 7, 9, 11, 13)]


def texts(records):
    return [record.fields["txt"] for record in records]


@pytest.mark.parametrize("data", [b"\0" * 10240, b"\0" * 1024, b"\0" * 512])
def test_an_empty_tar(scan_tar, data):
    assert scan_tar(data) == []


def test_a_file_of_no_bytes_is_no_tar(scan_tar):
    (record,) = scan_tar(b"")
    assert reason_of(record) is RejectReason.TRUNCATED_FILE


def test_cut_off_at_every_byte(scratch, all_records):
    data = tar_of(MEMBERS)
    cuts = set(range(1, len(data), 11)) | {end + n for end in MEMBER_ENDS for n in (-1, 1, BLOCK)}
    for cut in cuts | set(MEMBER_ENDS):
        records = all_records(Tar(), scratch("cut.tar", data[:cut]))
        if cut <= MEMBER_ENDS[-1]:
            assert isinstance(records.pop().fields, UnreadError)
        # A record is whole once something else follows it.
        whole = sum(cut >= end + BLOCK for end in MEMBER_ENDS[1::2][:2]) + (cut > MEMBER_ENDS[-1])
        assert texts(records) == ["caption", "more", "last"][:whole]


def test_a_tar_that_is_cut_off_between_members_is_told(scan_tar):
    *records, last = scan_tar(MEMBERS, end=False)
    assert texts(records) == ["caption", "more"]
    assert isinstance(last.fields, UnreadError)
    assert last.fields.unread == MEMBER_ENDS[-1] - MEMBER_ENDS[3]
    assert len(scan_tar(tar_of(MEMBERS, end=False) + bytes(BLOCK))) == 3


@pytest.mark.parametrize("position", [0, 10, 100, 130, 148, 156, 257])
@pytest.mark.parametrize("member", [2, 3])
def test_a_broken_header_is_not_silent(scan_tar, position, member):
    data = bytearray(tar_of(MEMBERS))
    data[MEMBER_ENDS[member] + position] ^= 0x55
    *records, last = scan_tar(bytes(data))
    # The header might be that of another member of b: b is not known to be whole.
    assert texts(records) == ["caption"]
    assert reason_of(last) is RejectReason.TRUNCATED_FILE
    assert last.offset == MEMBER_ENDS[1]


def test_a_hole_of_zeros_is_not_silent(scan_tar):
    data = bytearray(tar_of(MEMBERS))
    data[MEMBER_ENDS[1] : MEMBER_ENDS[2]] = bytes(2 * BLOCK)
    first, last = scan_tar(bytes(data))
    assert first.fields["txt"] == "caption"
    assert reason_of(last) is RejectReason.TRUNCATED_FILE


def test_tars_that_were_joined_are_read(scan_tar):
    # The key c ends the first and begins the second: no record lies in both.
    records = scan_tar(tar_of(MEMBERS) + tar_of([("c.txt", b"d")]) + tar_of([("c.txt", b"e")]))
    assert texts(records) == ["caption", "more", "last", "d", "e"]


@pytest.mark.parametrize("rest", [b"more", tar_of([("d.txt", b"d")])[7:], b"\0" * BLOCK + b"more"])
def test_what_follows_the_end_and_is_no_tar_is_not_silent(scan_tar, rest):
    whole = tar_of(MEMBERS)
    *records, last = scan_tar(whole + rest)
    assert texts(records) == ["caption", "more", "last"]
    assert isinstance(last.fields, UnreadError)
    assert last.fields.unread == last.size == len(whole) + len(rest) - MEMBER_ENDS[-1]
    assert "follows the end of the tar" in last.fields.detail


@given(
    st.lists(st.tuples(st.integers(0, 10 * BLOCK), st.integers(0, 255)), min_size=1, max_size=5),
    st.booleans(),
)
@settings(deadline=None)
@example([(124, 0x80), (125, 0xFF)], True)
def test_damage_never_makes_other_errors(scratch, flips, fix_checksums):
    data = bytearray(tar_of([(f"{'n' * 120}.txt", b"a"), *MEMBERS], tarfile.GNU_FORMAT))
    for position, value in flips:
        data[position] = value
        if fix_checksums:
            header = position // BLOCK * BLOCK
            data[header + 148 : header + 156] = b" " * 8
            checksum = sum(data[header : header + BLOCK])
            data[header + 148 : header + 156] = b"%06o\0 " % checksum
    path = scratch("damaged.tar", bytes(data))
    records = list(Tar().scan(path, Tar().split(path)[0]))
    assert records
    try:
        Tar().load(bytes(data[: 5 * BLOCK]))
    except SampleError:
        return


@pytest.mark.parametrize("size", [b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7, b"\xff" * 12])
def test_absurd_sizes(scan_tar, size):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    records = scan_tar(tar_of(MEMBERS, end=False) + bytes(header) + b"\0" * BLOCK)
    assert reason_of(records[-1]) is RejectReason.TRUNCATED_FILE


def header_of(size, kind=tarfile.REGTYPE):
    """A header that states a size in the binary form, which may be negative."""
    header = bytearray(tarfile.TarInfo("d.txt").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = kind
    header[124:136] = (size & (1 << 96) - 1).to_bytes(12, "big")
    header[124] |= 0x80
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("size", [-513, -1024, -(1 << 40), 1 << 21, 1 << 40, 1 << 62, 1 << 80])
def test_sizes_that_cannot_be(scan_tar, size, kind):
    data = tar_of(MEMBERS, end=False) + header_of(size, kind) + tar_of([("e.txt", b"e")])
    *records, last = scan_tar(data)
    assert texts(records)[:2] == ["caption", "more"]
    assert isinstance(last.fields, UnreadError)
    assert last.fields.unread == len(data) - last.offset


def test_hundreds_of_headers_for_one_member(scan_tar):
    info = tarfile.TarInfo("d.txt")
    info.pax_headers = {"comment": "x"}
    header = info.tobuf(tarfile.PAX_FORMAT)[: 2 * BLOCK]
    *records, last = scan_tar(tar_of(MEMBERS, end=False) + header * 2000)
    assert texts(records)[:2] == ["caption", "more"]
    assert "hundreds of headers" in last.fields.detail


def test_a_text_that_is_too_large_costs_itself_alone(scan_tar, monkeypatch):
    monkeypatch.setattr(reads, "MAX_RECORD_BYTES", 100)
    first, second = scan_tar([("a.txt", b"x" * 101), ("b.txt", b"x" * 99)])
    assert first.fields.detail == "a record of 101 bytes, more than 100"
    assert second.fields["txt"] == "x" * 99
