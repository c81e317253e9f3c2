"""The records of a whole tar."""

import io
import itertools
import json
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tar_files import BLOCK, FORMATS, reason_of, tar_of, values

from packkit.base.errors import RejectReason, SampleError, UnreadError
from packkit.images import RangeImage
from packkit.sources.containers.tar import IMAGE_EXTENSIONS, KEY, Tar

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
)
@settings(deadline=None)
def test_neighbours_of_one_key_are_one_record(scratch, all_records, groups, format):
    members = [
        (f"{key}.{extension}", encoded(value))
        for key, group in groups
        for extension, value in group.items()
    ]
    path = scratch("a.tar", tar_of(members, format))
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
    known = [
        (extension, encoded(value) if extension == "cls" else value) for extension, value in items
    ]
    fields = dict(known)
    if len(fields) != len(known):
        return RejectReason.INVALID_SAMPLE
    return {**(fields["json"] if fields.keys() == {"json"} else fields), KEY: key}


def test_pairs_as_img2dataset_writes_them(scan_tar):
    records = scan_tar(
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


def test_a_json_alone_is_the_record(scan_tar):
    (record,) = scan_tar([("shard/7.json", b'{"texts": [], KEY: 1}'.replace(b"KEY", b'"__key__"'))])
    assert record.fields == {"texts": [], KEY: "shard/7"}


@pytest.mark.parametrize("extension", [*IMAGE_EXTENSIONS, "JPG", "Jpeg", "PNG", "WebP"])
def test_extensions_of_any_case(scan_tar, extension):
    (record,) = scan_tar([(f"a.{extension}", b"x"), ("a.TXT", b"t")])
    assert values(record.fields) == {extension.lower(): b"x", "txt": "t", KEY: "a"}


def test_keys_that_are_not_neighbours_make_no_pairs(scan_tar):
    records = scan_tar([("a.jpg", b"A"), ("b.jpg", b"B"), ("a.txt", b"a"), ("b.txt", b"b")])
    assert [values(record.fields) for record in records] == [
        {"jpg": b"A", KEY: "a"},
        {"jpg": b"B", KEY: "b"},
        {"txt": "a", KEY: "a"},
        {"txt": "b", KEY: "b"},
    ]


def test_equal_names_in_two_folders_are_two_keys(scan_tar):
    records = scan_tar([("x/0.jpg", b"1"), ("x/0.txt", b"1"), ("y/0.jpg", b"2"), ("y/0.txt", b"2")])
    assert [values(record.fields)["txt"] for record in records] == ["1", "2"]


@pytest.mark.parametrize(
    "names", [("a.jpg", "a.jpg"), ("a.jpg", "a.txt", "a.txt"), ("a.jpg", "a.JPG"), ("a.json",) * 2]
)
def test_two_members_of_one_name_are_rejected(scan_tar, names):
    (record,) = scan_tar([(name, b"{}") for name in names])
    assert reason_of(record) is RejectReason.INVALID_SAMPLE
    assert "has two members" in record.fields.detail


def test_keys_end_at_the_first_dot(scan_tar):
    record, good = scan_tar([("1.2.840.jpg", b"x"), ("1.2.840.txt", b"x"), ("2.txt", b"y")])
    assert values(record.fields) == {"2.840.jpg": b"x", "2.840.txt": "x", KEY: "1"}
    assert good.fields == {"txt": "y", KEY: "2"}


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_a_key_that_would_take_in_many_samples_is_told(scan_tar, kind):
    members = [(f"scan.{n:04}.{e}", b"1") for n in range(3) for e in ("jpg", kind)]
    (record,) = scan_tar(members)
    assert isinstance(record.fields, UnreadError)
    assert record.fields.unread == record.size
    assert f"'scan.0000.{kind}' and 'scan.0001.{kind}' have the key 'scan'" in record.fields.detail


def test_every_member_of_a_key_is_a_field(scan_tar):
    (record,) = scan_tar(
        [("a.cls", b"1"), ("a.jpg", b"x"), ("a.seg.png", b"s"), ("a.npy", b"n"), ("a.txt", b"t")]
    )
    members = {"cls": b"1", "jpg": b"x", "seg.png": b"s", "npy": b"n", "txt": "t"}
    assert values(record.fields) == {**members, KEY: "a"}


def test_names_that_are_no_key_are_left_out(scan_tar):
    (record,) = scan_tar(
        [("README", b"r"), ("._a.jpg", b"mac"), ("x/.hidden", b"h"), ("a.txt", b"t")]
    )
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
    ],
)
def test_a_broken_member_costs_its_record_alone(scan_tar, name, data, reason):
    records = scan_tar([("a.txt", b"1"), ("b.jpg", b"x"), (name, data), ("c.txt", b"2")])
    first, broken, last = records
    assert (first.fields["txt"], last.fields["txt"]) == ("1", "2")
    assert reason_of(broken) is reason


def test_a_name_that_is_no_utf8(scan_tar):
    data = tar_of([("\udcff.txt", b"x"), ("b.txt", b"y")], tarfile.GNU_FORMAT)
    broken, good = scan_tar(data)
    assert reason_of(broken) is RejectReason.INVALID_UTF8
    assert good.fields == {"txt": "y", KEY: "b"}


def test_long_names_stay_readable_by_offset(scan_tar):
    name = "/".join(["folder" * 10] * 4) + "/" + "n" * 90
    for format in FORMATS[:2]:
        (before, record) = scan_tar([("a.txt", b"1"), (f"{name}.txt", b"2")], format=format)
        assert record.fields == {"txt": "2", KEY: name}
        # The extra header of a long name belongs to the record.
        assert record.offset == before.offset + before.size == 2 * BLOCK


def test_a_sparse_member_is_rejected(scan_tar):
    info = tarfile.TarInfo("a.jpg")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"00000010000\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    sparse, good = scan_tar(bytes(header) + tar_of([("b.txt", b"t")]))
    assert "sparse" in sparse.fields.detail
    assert good.fields["txt"] == "t"


def test_no_image_is_read_before_it_is_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of([("a.jpg", b"x" * 5_000_000), ("a.txt", b"t")]))
    monkeypatch.setattr(RangeImage, "_read", lambda *_: pytest.fail("read"))
    (record,) = Tar().scan(path, Tar().split(path)[0])
    assert record.fields["jpg"] == RangeImage(str(path), BLOCK, 5_000_000)


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
