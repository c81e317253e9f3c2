"""No record ends a run, and no file that breaks off counts as one reject."""

import os
import tarfile

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from packing_inputs import caption, png, write_lines

from packkit.base import reads
from packkit.base.errors import FormatError, RejectReason
from packkit.sources import registry

GOOD = caption(1)


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


RECORDS = {
    "meta_253": GOOD | {"meta": nested(252)},
    "meta_900": GOOD | {"meta": {"a": nested(900)}},
    "id_900": b'{"content": "x", "id": %s}' % (b"[" * 900 + b"]" * 900),
    "token_limit": GOOD | {"token_limit": 1 << 32},
    "negative_limit": GOOD | {"token_limit": -1},
    "boolean_limit": GOOD | {"token_limit": True},
    "float_limit": GOOD | {"token_limit": 1e300},
    "huge_integer": b'{"content": "x", "n": %s}' % (b"9" * 5000),
    "nan": b'{"content": "x", "meta": {"n": nan}}',
    "surrogate": b'{"content": "x \\ud800"}',
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_costs_itself_alone(tmp_path, quick_run, name):
    path = write_lines(tmp_path / "a.jsonl", [GOOD, RECORDS[name], caption(2)])
    report = quick_run(path, tmp_path / "out", max_reject_rate=1)
    assert (report.samples_packed, report.samples_rejected) == (2, 1)
    (reject,) = map(orjson.loads, (tmp_path / "out" / "rejects.jsonl").read_bytes().splitlines())
    assert reject["position"] == 1


def test_floats_and_integers_of_64_bits_are_kept(tmp_path, measure):
    numbers = (
        b'{"content": "xy", "meta": {"n": [1e30, 1.5, 18446744073709551615, -9223372036854775808]}}'
    )
    _, pass1 = measure(write_lines(tmp_path / "a.jsonl", [numbers]))
    assert len(pass1.measured) == 1


def test_a_layout_that_did_not_expect_a_value_costs_a_record(tmp_path, measure, monkeypatch):
    class Plugin(registry.PackkitLayout):
        def to_sample(self, fields, root):
            assert fields["content"] != "disk", "an assertion is no fault of a record"
            if fields["content"] == "io":
                raise OSError("the disk")
            return super().to_sample(fields if fields["content"] != "key" else fields["none"], root)

    monkeypatch.setattr("packkit.sources.samples.layout_named", lambda *_: Plugin({}))
    path = write_lines(tmp_path / "a.jsonl", [{"content": "key"}, {"content": "fine"}])
    _, pass1 = measure(path)
    (reject,) = pass1.rejects
    assert (reject.reason, reject.detail) == ("invalid_sample", "KeyError: 'none'")
    for content, error in (("io", OSError), ("disk", AssertionError)):
        with pytest.raises(error):
            measure(write_lines(tmp_path / f"{content}.jsonl", [{"content": content}]))


def test_sparse_images_are_not_read(tmp_path, measure):
    (tmp_path / "a.jpg").write_bytes(b"")
    os.truncate(tmp_path / "a.jpg", 1 << 40)
    (tmp_path / "b.png").write_bytes(png(1))
    os.truncate(tmp_path / "b.png", 1 << 40)
    records = [{"image": name, "text": "x"} for name in ("a.jpg", "b.png")]
    _, pass1 = measure(write_lines(tmp_path / "a.jsonl", records))
    assert [reject.reason for reject in pass1.rejects] == [RejectReason.IMAGE_TOO_LARGE] * 2


def test_lines_over_the_cap_are_not_held(tmp_path, measure, monkeypatch):
    monkeypatch.setattr(reads, "MAX_RECORD_BYTES", 1000)
    long = [caption(0, "x" * 2000), GOOD, caption(2, "x" * 5000)]
    path = write_lines(tmp_path / "a.jsonl", long)
    _, pass1 = measure(path)
    assert len(pass1.measured) == 0 if len(orjson.dumps(GOOD)) > 1000 else 1
    assert all("more than 1000" in reject.detail for reject in pass1.rejects)
    assert pass1.reads == [3]


def test_dates_past_the_year_9999_are_rejects(tmp_path, measure):
    dates = pa.array([10**6, 10**9, 0], pa.int32()).cast(pa.date32())
    table = pa.table({"content": ["one", "two", "three"], "date": dates})
    pq.write_table(table, tmp_path / "a.parquet")
    _, pass1 = measure(tmp_path / "a.parquet")
    assert [reject.position for reject in pass1.rejects] == [1] or len(pass1.rejects) == 2
    assert len(pass1.measured) + len(pass1.rejects) == 3


# Files that break off


def half_of(path):
    os.truncate(path, path.stat().st_size // 2 - 100)
    return path


def tar_of_captions(path, count=40):
    import io

    with tarfile.open(path, "w") as archive:
        for number in range(count):
            for name, data in ((f"{number:03}.png", png(number)), (f"{number:03}.txt", b"words")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def written(folder, kind):
    records = [caption(number) for number in range(40)]
    path = folder / f"a.{kind}"
    if kind == "tar":
        return tar_of_captions(path)
    if kind == "json":
        path.write_bytes(orjson.dumps(records))
        return path
    if kind == "csv":
        rows = "".join(f'"{number}","text {number}"\n' for number in range(40))
        path.write_text("id,content\n" + rows)
        return path
    return write_lines(path, records)


@pytest.mark.parametrize("kind", ["tar", "json", "jsonl"])
def test_half_a_file_fails_the_run_unless_that_is_allowed(tmp_path, quick_run, kind):
    path = half_of(written(tmp_path, kind))
    with pytest.raises(FormatError, match=rf"a\.{kind}: .* byte"):
        quick_run(path, tmp_path / "out", max_reject_rate=1)
    report = quick_run(path, tmp_path / "allowed", max_reject_rate=1, allow_truncated=True)
    assert 15 <= report.samples_packed <= 25
    assert report.rejects == {"truncated_file": 1}
    assert report.unread_bytes == report.sources[0]["unread_bytes"] > 0
    (reject,) = map(orjson.loads, (tmp_path / "allowed/rejects.jsonl").read_bytes().splitlines())
    assert reject["unread"] == report.unread_bytes


def test_a_quote_that_is_missing_in_a_table_fails_the_run(tmp_path, quick_run):
    path = written(tmp_path, "csv")
    data = path.read_bytes()
    place = data.index(b'text 20"') + len(b"text 20")
    path.write_bytes(data[:place] + data[place + 1 :])
    with pytest.raises(FormatError, match=r"a\.csv: line 22: .*up to line 23"):
        quick_run(path, tmp_path / "out", layout="packkit")
    report = quick_run(
        path, tmp_path / "allowed", layout="packkit", max_reject_rate=1, allow_truncated=True
    )
    assert report.samples_packed == 38
    assert report.unread_bytes == len('"20","text 20\n"21","text 21"\n')


def test_joined_tars_lose_nothing(tmp_path, quick_run):
    path = written(tmp_path, "tar")
    path.write_bytes(path.read_bytes() * 2)
    report = quick_run(path, tmp_path / "out")
    assert (report.samples_packed, report.samples_rejected) == (80, 0)


def test_a_strict_run_stops_at_what_it_may_leave_out(tmp_path, quick_run):
    path = half_of(written(tmp_path, "json"))
    with pytest.raises(ValueError, match="truncated_file"):
        quick_run(path, tmp_path / "out", strict=True, allow_truncated=True)
