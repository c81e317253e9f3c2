import csv
import io
import threading

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packkit.base import reads
from packkit.base.errors import FormatError, RejectReason, SampleError, UnreadError
from packkit.sources.containers.csv_table import CsvTable, TsvTable

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('",;\r\n片é \t\0'), max_size=8
)


@pytest.fixture
def staged(tmp_path, all_records):
    """Stages a file of these bytes and returns what its rows hold."""

    def stage(data):
        path, copy = tmp_path / "a.csv", tmp_path / "copy"
        path.write_bytes(data)
        CsvTable().stage(path, copy)
        return [record.fields for record in all_records(CsvTable(), copy)]

    return stage


@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(TEXTS, min_size=n, max_size=n))),
    st.booleans(),
    # Of its own accord the writer quotes line breaks of the kind alone that ends its lines.
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
)
@settings(deadline=None, max_examples=100)
def test_rows_come_back_as_they_were_written(scratch, all_records, rows, mark, style):
    end, quoting = style
    columns = [f"c{n}" for n in range(len(rows[0]) if rows else 2)]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([columns, *rows])
    copy = scratch("copy", b"")
    CsvTable().stage(scratch("a.csv", b"\xef\xbb\xbf" * mark + text.getvalue().encode()), copy)
    fields = [record.fields for record in all_records(CsvTable(), copy)]
    assert fields == [dict(zip(columns, row, strict=True)) for row in rows]


def test_line_breaks_and_commas_stand_in_quotes(staged):
    assert staged(b'a,b\r\n"one\r\ntwo","x, ""y"""\n\n,\n') == [
        {"a": "one\r\ntwo", "b": 'x, "y"'},
        {"a": "", "b": ""},
    ]


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (b"1,2", RejectReason.INVALID_SAMPLE, "line 3: 2 fields, but the header has 3"),
        (b"1,2,3,4", RejectReason.INVALID_SAMPLE, "line 3: 4 fields, but the header has 3"),
        (b"1,\xff,3", RejectReason.INVALID_UTF8, "line 3: not UTF-8"),
        (b'1,"2"x,3', RejectReason.INVALID_SAMPLE, "line 3: ',' expected after '\"'"),
    ],
)
def test_a_row_that_is_none_costs_itself_alone(staged, row, reason, detail):
    first, broken, last = staged(b"a,b,c\nx,x,x\n" + row + b"\ny,y,y\n")
    assert (first["a"], last["a"]) == ("x", "y")
    assert (broken.reason, broken.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("rows", "unread", "detail"),
    [
        (b'3,"4\n5,6\n7,8\n', 13, "line 3: a quote in line 3 is not closed"),
        (b'"3\n",x\n"5","6\n7\n', 9, "line 5: a quote in line 5 is not closed"),
        (b'"3\n3","4\n5,6\n', 13, "line 3: a quote in line 4 is not closed"),
        (b"3", 1, "line 3: 1 fields, but the header has 2, at the end of the file"),
    ],
)
def test_what_may_be_more_than_one_row_at_the_end(staged, rows, unread, detail):
    first, *_, broken = staged(b"a,b\n1,2\n" + rows)
    assert first == {"a": "1", "b": "2"}
    assert isinstance(broken, UnreadError)
    assert (broken.unread, broken.detail) == (unread, detail)


@pytest.mark.parametrize(
    "swallowed", [b'3,"4\n5,"6"\n', b'3,"4\n5,6\n7,"8",\n', b'3,"4"",\n5,6\n",7,8\n']
)
def test_a_quote_that_swallows_rows_is_told(staged, swallowed):
    first, broken, last = staged(b"a,b\n1,2\n" + swallowed + b"x,y\n")
    assert (first["a"], last["a"]) == ("1", "x")
    assert isinstance(broken, UnreadError)
    assert broken.unread == len(swallowed)
    assert "there may be other rows" in broken.detail


def test_a_broken_row_of_several_lines_that_are_none_is_one_reject(staged):
    _, broken, last = staged(b'a,b,c\n1,2,3\n4,"5\nand\nmore",6,7\nx,y,z\n')
    assert (broken.reason, last["a"]) == (RejectReason.INVALID_SAMPLE, "x")


def test_a_row_that_is_too_large_ends_the_reading(staged, monkeypatch):
    monkeypatch.setattr(reads, "MAX_RECORD_BYTES", 100)
    large = b'3,"' + b"4\n" * 80
    first, broken = staged(b"a,b\n1,2\n" + large)
    assert first["a"] == "1"
    assert (broken.unread, broken.detail) == (len(large), "line 3: a row of more than 100 bytes")


def test_the_index_of_pandas_is_left_out(staged):
    assert staged(b",a\n0,x\n1,y\n") == [{"a": "x"}, {"a": "y"}]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "has no header"),
        (b"\n\r\n\n", "has no header"),
        (b"a,b,a\n1,2,3\n", "column 'a' stands there twice"),
        (b"a,,c\n1,2,3\n", "column 2 has no name"),
        (b"a,b,\n1,2,3\n", "column 3 has no name"),
        (b"\xff\xfea\0,\0b\0", "the header is not UTF-8"),
        (b'"a"b,c\n', "the header cannot be read"),
        (b'a,"b\n1,2\n', "the header cannot be read"),
    ],
)
def test_a_broken_header_is_an_error(staged, data, rule):
    with pytest.raises(FormatError, match=rf"^a\.csv: {rule}"):
        staged(data)


def test_large_fields_are_read_and_the_limit_of_the_process_stays(staged):
    limit = csv.field_size_limit()
    text = "x" * (limit + 1)
    assert staged(f"a,b\n{text},1\n".encode()) == [{"a": text, "b": "1"}]
    assert csv.field_size_limit() == limit
    with pytest.raises(FormatError):
        staged(b"")
    assert csv.field_size_limit() == limit


def test_files_staged_at_once_do_not_lower_each_others_limit(tmp_path):
    limit = csv.field_size_limit()
    path = tmp_path / "a.csv"
    path.write_text("a\n" + "\n".join("x" * (limit + 1) for _ in range(50)))
    errors = []

    def stage(number):
        try:
            CsvTable().stage(path, tmp_path / str(number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=stage, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({(tmp_path / str(number)).read_bytes() for number in range(4)}) == 1
    assert csv.field_size_limit() == limit


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_rows_rejects_or_a_format_error(scratch, all_records, junk):
    copy = scratch("copy", b"")
    CsvTable().stage(scratch("junk.csv", b"a,b\n" + junk), copy)
    for record in all_records(CsvTable(), copy):
        is_row = not isinstance(record.fields, SampleError)
        assert not is_row or record.fields.keys() == {"a", "b"}


def test_a_full_disk_is_no_broken_input(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n" + "x" * 100_000)
    with pytest.raises(OSError, match="No space left on device"):
        CsvTable().stage(path, "/dev/full")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_parted_by_what_the_header_has(tmp_path, delimiter):
    path, copy = tmp_path / "a.csv", tmp_path / "copy"
    path.write_text(f'image{delimiter}text\n\na.jpg{delimiter}"x, y; z"\n')
    CsvTable().stage(path, copy)
    assert orjson.loads(copy.read_bytes()) == {"image": "a.jpg", "text": "x, y; z"}


def test_a_header_with_several_marks_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("image;text|more\n")
    with pytest.raises(FormatError, match=r"the header has ';' and '\|', and no comma"):
        CsvTable().stage(path, tmp_path / "copy")
    # With a comma it is parted by commas, whatever else its names hold.
    path.write_text("image,text;more\na,b\n")
    CsvTable().stage(path, tmp_path / "copy")
    assert orjson.loads((tmp_path / "copy").read_bytes()) == {"image": "a", "text;more": "b"}


def test_tabs_part_a_tsv_whatever_else_it_holds(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("filepath\ttitle, in words\na.jpg\tA heart, a lung\n")
    TsvTable().stage(path, tmp_path / "copy")
    expected = {"filepath": "a.jpg", "title, in words": "A heart, a lung"}
    assert orjson.loads((tmp_path / "copy").read_bytes()) == expected
