import io
import itertools
import json
import tarfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packkit.base.errors import RejectReason, SampleError
from packkit.images import RangeImage
from packkit.sources.containers.tar import IMAGE_EXTENSIONS, KEY, Tar

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
def scan(tmp_path, all_records):
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


CONTENTS = {
    "jpg": st.binary(max_size=700),
    "png": st.binary(max_size=5),
    "txt": st.text(max_size=5),
    "json": st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
    "cls": st.binary(max_size=5),
}
KEYS = st.sampled_from(["0", "000001", "a/0", "a/b/c", "片", "k" * 120, "d" * 90 + "/" + "e" * 90])


@given(
    st.lists(st.tuples(KEYS, st.fixed_dictionaries({}, optional=CONTENTS)), max_size=5),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.booleans(),
)
@settings(deadline=None)
def test_neighbours_of_one_key_are_one_record(scratch, all_records, groups, format, ends):
    members = [
        (f"{key}.{extension}", encoded(value))
        for key, group in groups
        for extension, value in group.items()
    ]
    path = scratch("a.tar", tar_of(members, format, ends or not members))
    records = all_records(Tar(), path)
    expected = [
        expected_of(key, [value for _, value in group])
        for key, group in itertools.groupby(
            ((key, item) for key, group in groups for item in group.items()), lambda pair: pair[0]
        )
    ]
    assert [
        reason_of(record) if isinstance(record.fields, SampleError) else values(record.fields)
        for record in records
    ] == expected


def encoded(value):
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def expected_of(key, items):
    known = [(extension, value) for extension, value in items if extension != "cls"]
    fields = dict(known)
    if not known or len(fields) != len(known):
        return RejectReason.INVALID_SAMPLE
    return {**(fields["json"] if fields.keys() == {"json"} else fields), KEY: key}


def test_pairs_as_img2dataset_writes_them(scan):
    records = scan(
        [
            ("000.webp", b"w"),
            ("000.txt", "caption ü".encode()),
            ("000.json", b'{"caption": "x"}'),
            ("001.png", b"p"),
            ("001.json", b'{"caption": "only here"}'),
        ]
    )
    assert [values(record.fields) for record in records] == [
        {"webp": b"w", "txt": "caption ü", "json": {"caption": "x"}, KEY: "000"},
        {"png": b"p", "json": {"caption": "only here"}, KEY: "001"},
    ]
    assert records[0].fields["webp"].peek(1).size == 1


def test_a_json_alone_is_the_record(scan):
    (record,) = scan([("shard/7.json", b'{"texts": [], KEY: 1}'.replace(b"KEY", b'"__key__"'))])
    assert record.fields == {"texts": [], KEY: "shard/7"}


@pytest.mark.parametrize("extension", [*IMAGE_EXTENSIONS, "JPG", "Jpeg", "PNG", "WebP"])
def test_extensions_of_any_case(scan, extension):
    (record,) = scan([(f"a.{extension}", b"x"), ("a.TXT", b"t")])
    assert values(record.fields) == {extension.lower(): b"x", "txt": "t", KEY: "a"}


def test_keys_that_are_not_neighbours_make_no_pairs(scan):
    records = scan([("a.jpg", b"A"), ("b.jpg", b"B"), ("a.txt", b"a"), ("b.txt", b"b")])
    assert [values(record.fields) for record in records] == [
        {"jpg": b"A", KEY: "a"},
        {"jpg": b"B", KEY: "b"},
        {"txt": "a", KEY: "a"},
        {"txt": "b", KEY: "b"},
    ]


def test_equal_names_in_two_folders_are_two_keys(scan):
    records = scan([("x/0.jpg", b"1"), ("x/0.txt", b"1"), ("y/0.jpg", b"2"), ("y/0.txt", b"2")])
    assert [values(record.fields)["txt"] for record in records] == ["1", "2"]


@pytest.mark.parametrize(
    "names", [("a.jpg", "a.jpg"), ("a.jpg", "a.txt", "a.txt"), ("a.jpg", "a.JPG"), ("a.json",) * 2]
)
def test_two_members_of_one_name_are_rejected(scan, names):
    (record,) = scan([(name, b"{}") for name in names])
    assert reason_of(record) is RejectReason.INVALID_SAMPLE
    assert "has two members" in record.fields.detail


def test_keys_with_dots_are_rejected_and_say_why(scan):
    record, good = scan([("1.2.840.jpg", b"x"), ("1.2.840.txt", b"x"), ("2.txt", b"y")])
    assert reason_of(record) is RejectReason.INVALID_SAMPLE
    assert "no image, txt or json with key '1', which has 1.2.840.jpg" in record.fields.detail
    assert good.fields == {"txt": "y", KEY: "2"}


def test_extra_members_and_long_extensions_are_left_out(scan):
    (record,) = scan(
        [("a.cls", b"1"), ("a.jpg", b"x"), ("a.seg.png", b"s"), ("a.npy", b"n"), ("a.txt", b"t")]
    )
    assert values(record.fields) == {"jpg": b"x", "txt": "t", KEY: "a"}


def test_names_that_are_no_key_are_left_out(scan):
    (record,) = scan([("README", b"r"), ("._a.jpg", b"mac"), ("x/.hidden", b"h"), ("a.txt", b"t")])
    assert record.fields == {"txt": "t", KEY: "a"}


def test_folders_and_links_are_left_out(tmp_path, all_records):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in [
            ("d.jpg", tarfile.DIRTYPE),
            ("s.jpg", tarfile.SYMTYPE),
            ("h.jpg", tarfile.LNKTYPE),
            ("f.jpg", tarfile.FIFOTYPE),
            ("c.jpg", tarfile.CHRTYPE),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("a.txt")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"t"))
    (record,) = all_records(Tar(), path)
    assert record.fields == {"txt": "t", KEY: "a"}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("b.txt", b"\xff", RejectReason.INVALID_UTF8),
        ("b.json", b"\xff", RejectReason.INVALID_UTF8),
        ("b.json", b'{"a": ', RejectReason.INVALID_JSON),
        ("b.json", b"", RejectReason.INVALID_JSON),
        ("b.json", b"[1]", RejectReason.INVALID_SAMPLE),
    ],
)
def test_a_broken_member_costs_its_record_alone(scan, name, data, reason):
    records = scan([("a.txt", b"1"), ("b.jpg", b"x"), (name, data), ("c.txt", b"2")])
    first, broken, last = records
    assert (first.fields["txt"], last.fields["txt"]) == ("1", "2")
    assert reason_of(broken) is reason


def test_a_name_that_is_no_utf8(scan):
    data = tar_of([("\udcff.txt", b"x"), ("b.txt", b"y")], tarfile.GNU_FORMAT)
    broken, good = scan(data)
    assert reason_of(broken) is RejectReason.INVALID_UTF8
    assert good.fields == {"txt": "y", KEY: "b"}


def test_long_names_stay_readable_by_offset(scan):
    name = "/".join(["folder" * 10] * 4) + "/" + "n" * 90
    for format in FORMATS[:2]:
        (before, record) = scan([("a.txt", b"1"), (f"{name}.txt", b"2")], format=format)
        assert record.fields == {"txt": "2", KEY: name}
        # The extra header of a long name belongs to the record.
        assert record.offset == before.offset + before.size == 2 * BLOCK


@pytest.mark.parametrize("data", [b"\0" * 10240, b"\0" * 1024, b"\0" * 512])
def test_an_empty_tar(scan, data):
    assert scan(data) == []


def test_a_file_of_no_bytes_is_no_tar(scan):
    (record,) = scan(b"")
    assert reason_of(record) is RejectReason.TRUNCATED_FILE


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


def test_cut_off_at_every_byte(scratch, all_records):
    data = tar_of(MEMBERS)
    cuts = set(range(1, len(data), 11)) | {end + n for end in MEMBER_ENDS for n in (-1, 1, BLOCK)}
    for cut in cuts - set(MEMBER_ENDS):
        records = all_records(Tar(), scratch("cut.tar", data[:cut]))
        if cut < MEMBER_ENDS[-1]:
            assert reason_of(records.pop()) is RejectReason.TRUNCATED_FILE
        # A record is whole once something else follows it.
        whole = sum(cut >= end + BLOCK for end in MEMBER_ENDS[1::2][:2]) + (cut > MEMBER_ENDS[-1])
        assert texts(records) == ["caption", "more", "last"][:whole]


@pytest.mark.parametrize("end", [True, False])
def test_the_end_of_archive_blocks_may_be_missing(scan, end):
    assert texts(scan(MEMBERS, end=end)) == ["caption", "more", "last"]


@pytest.mark.parametrize("position", [0, 10, 100, 130, 148, 156, 257])
@pytest.mark.parametrize("member", [2, 3])
def test_a_broken_header_is_not_silent(scan, position, member):
    data = bytearray(tar_of(MEMBERS))
    data[MEMBER_ENDS[member] + position] ^= 0x55
    *records, last = scan(bytes(data))
    # The header might be that of another member of b: b is not known to be whole.
    assert texts(records) == ["caption"]
    assert reason_of(last) is RejectReason.TRUNCATED_FILE
    assert last.offset == MEMBER_ENDS[1]


def test_a_hole_of_zeros_is_not_silent(scan):
    data = bytearray(tar_of(MEMBERS))
    data[MEMBER_ENDS[1] : MEMBER_ENDS[2]] = bytes(2 * BLOCK)
    first, last = scan(bytes(data))
    assert first.fields["txt"] == "caption"
    assert reason_of(last) is RejectReason.TRUNCATED_FILE


def test_what_follows_the_end_is_not_silent(scan):
    *records, last = scan(tar_of(MEMBERS) + tar_of([("d.txt", b"d")]))
    assert texts(records) == ["caption", "more", "last"]
    assert reason_of(last) is RejectReason.TRUNCATED_FILE


def test_a_sparse_member_is_rejected(scan):
    info = tarfile.TarInfo("a.jpg")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"00000010000\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    sparse, good = scan(bytes(header) + tar_of([("b.txt", b"t")]))
    assert "sparse" in sparse.fields.detail
    assert good.fields["txt"] == "t"


def test_no_image_is_read_before_it_is_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of([("a.jpg", b"x" * 5_000_000), ("a.txt", b"t")]))
    monkeypatch.setattr(RangeImage, "_read", lambda *_: pytest.fail("read"))
    (record,) = Tar().scan(path, Tar().split(path)[0])
    assert record.fields["jpg"] == RangeImage(str(path), BLOCK, 5_000_000)


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
def test_absurd_sizes(scan, size):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    records = scan(tar_of(MEMBERS, end=False) + bytes(header) + b"\0" * BLOCK)
    assert reason_of(records[-1]) is RejectReason.TRUNCATED_FILE


@given(st.binary(max_size=100))
def test_load_lets_only_sample_errors_escape(data):
    with pytest.raises(SampleError):
        Tar().load(data)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "0 keys in one record"),
        ([("a.txt", b"a"), ("b.txt", b"b")], "2 keys in one record"),
        ([("a.txt", b"a"), ("a.txt", b"b")], "two members 'txt'"),
    ],
)
def test_load_takes_exactly_one_record(members, message):
    with pytest.raises(SampleError, match=message):
        Tar().load(tar_of(members))


def test_tars_are_never_staged(tmp_path):
    assert not Tar.staged
    with pytest.raises(NotImplementedError, match="read where they stand"):
        Tar().stage(tmp_path / "a", tmp_path / "b")
