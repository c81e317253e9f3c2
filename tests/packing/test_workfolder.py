"""What a killed run leaves is taken up by the same job, and by no other."""

import json

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rejects import REJECTS

from packkit.base.errors import LockedError, OutputExistsError
from packkit.base.files import file_checksum
from packkit.packing.span import SAMPLE_SCHEMA, SpanResult
from packkit.packing.workfolder import WorkFolder
from packkit.shards import ShardEntry

JOB = {"inputs": [{"name": "a.jsonl", "size": 3}, {"name": "b"}], "options": {"seed": 0}}

IN_TMP_PATH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def span_of(positions, rejects=()):
    columns = {name: np.arange(len(positions)) for name in SAMPLE_SCHEMA.names[:-1]}
    columns["position"] = positions
    images = pa.array([[] for _ in positions], SAMPLE_SCHEMA.field("images").type)
    table = pa.table({**columns, "images": images}).cast(SAMPLE_SCHEMA)
    return SpanResult(len(positions) + len(rejects), table, list(rejects))


@given(st.lists(st.integers(0, 2**62), max_size=5), st.lists(REJECTS, max_size=3))
@IN_TMP_PATH
def test_spans_come_back_as_they_were_saved(tmp_path, positions, rejects):
    with WorkFolder(tmp_path) as work:
        work.begin(JOB, overwrite=False)
        work.save_span(7, span_of(positions, rejects))
        loaded = work.load_span(7)
    assert loaded.read == len(positions) + len(rejects)
    assert loaded.rejects == rejects
    assert loaded.table.equals(span_of(positions).table, check_metadata=True)


def entry_of(number):
    fields = dict.fromkeys(("packs", "samples", "images", "tokens", "bytes"), number)
    return ShardEntry(name=f"shard-{number:05d}", **fields, sha256="ab", index_checksum="cd")


def test_a_half_finished_job_goes_on_and_knows_what_is_done(tmp_path):
    with WorkFolder(tmp_path) as work:
        assert not work.begin(JOB, overwrite=False)
        work.save_span(0, span_of([1, 2]))
        work.save_entry(1, entry_of(1))
    with WorkFolder(tmp_path) as work:
        assert not work.begin(JOB, overwrite=False)
        assert work.job == JOB
        assert work.load_span(0).read == 2 and work.load_span(1) is None
        assert work.load_entry(1) == entry_of(1) and work.load_entry(0) is None


def test_a_file_that_was_being_written_does_not_count(tmp_path):
    with WorkFolder(tmp_path) as work:
        work.save_span(0, span_of([1]))
        path = next((work.path / "measured").iterdir())
        path.rename(path.with_name(path.name + ".tmp"))
        assert work.load_span(0) is None


def finish(out, job):
    """Leaves what a finished run of a job leaves."""
    with WorkFolder(out) as work:
        work.begin(job, overwrite=False)
        (out / "run.json").write_bytes(orjson.dumps({"job": work.job, "seconds": 1}))
        (out / "shard-00000.jsonl").write_text("{}\n")
        (out / "manifest.json").write_text("{}")
        work.remove()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from("xyz"), parts),
    max_leaves=6,
)
JOBS = st.dictionaries(st.sampled_from("pq"), JSON, max_size=2)


@pytest.mark.parametrize("is_whole", [True, False])
@given(job=JOBS, other=JOBS)
@example({"p": [1]}, {"p": [1, 2]})
@example({"p": {"x": None}}, {"p": {}})
@example({"p": False}, {"p": 0})
@IN_TMP_PATH
def test_only_the_same_job_is_taken_up(tmp_path_factory, is_whole, job, other):
    out = tmp_path_factory.mktemp("out")
    if is_whole:
        finish(out, job)
    else:
        with WorkFolder(out) as work:
            work.begin(job, overwrite=False)
    with WorkFolder(out) as work:
        # As text, for in Python False equals 0.
        if json.dumps(job, sort_keys=True) == json.dumps(other, sort_keys=True):
            assert work.begin(other, overwrite=False) is is_whole
        else:
            with pytest.raises(OutputExistsError, match="of another job"):
                work.begin(other, overwrite=False)
            # A refusal changes nothing: the job itself is still taken up.
            assert work.begin(job, overwrite=False) is is_whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": {"seed": 3}}, r"options\.seed was 0, now 3"),
        ({"options": {}}, r"only the job before has options\.seed"),
        ({"inputs": [{"name": "a.jsonl", "size": 4}, {"name": "b"}]}, r"inputs\[0\]\.size was 3"),
        ({"inputs": [{"name": "a.jsonl", "size": 3}]}, "inputs were 2, now 1"),
        (dict.fromkeys("abcde", 1), r"job now has a; .* b; .* c; and 2 more\)"),
    ],
)
def test_the_message_says_what_differs_and_what_helps(tmp_path, change, message):
    finish(tmp_path, JOB)
    with (
        WorkFolder(tmp_path) as work,
        pytest.raises(OutputExistsError, match=f"a pack set .*{message}.*overwrite replaces it"),
    ):
        work.begin({**JOB, **change}, overwrite=False)


@pytest.mark.parametrize("run", [None, b"", b"[]", b'{"seconds": 1}'])
def test_a_set_of_an_unknown_job_is_refused(tmp_path, run):
    (tmp_path / "manifest.json").write_text("{}")
    if run is not None:
        (tmp_path / "run.json").write_bytes(run)
    with WorkFolder(tmp_path) as work, pytest.raises(OutputExistsError, match="does not say which"):
        work.begin(JOB, overwrite=False)


def start(out, *names, is_folder=False):
    """Leaves what a run leaves that was killed while it wrote these shards."""
    with WorkFolder(out) as work:
        work.begin(JOB, overwrite=False)
        work.save_span(0, span_of([1]))
        work.plan_shards(names, is_folder=is_folder)


OTHER_JOB = {**JOB, "options": {"seed": 3}}


@pytest.mark.parametrize("is_folder", [True, False])
def test_overwrite_removes_what_the_half_finished_run_names_and_nothing_else(tmp_path, is_folder):
    start(tmp_path, "shard-00000", "shard-00001", is_folder=is_folder)
    shards = {
        True: ["shard-00000/pack-00000000.json", "shard-00001.tmp/packs.index.arrow"],
        False: ["shard-00000.jsonl", "shard-00000.index.arrow", "shard-00001.jsonl.tmp"],
    }
    encoder = ["encoder/tokenizer.json", "encoder/encoder.json.tmp", "rejects.jsonl.tmp"]
    for name in [*shards[is_folder], *encoder]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with WorkFolder(tmp_path) as work:
        assert not work.begin(OTHER_JOB, overwrite=True)
        assert work.job == OTHER_JOB and work.load_span(0) is None
        assert [path.name for path in tmp_path.iterdir()] == [".work"]


@pytest.mark.parametrize(
    "foreign",
    [
        "shard-00002.jsonl",
        "shard-00000.tar",
        "encoder/model.safetensors",
        "shard-00000/notes.txt",
        "thesis.tex",
        "shard-notes/a.txt",
        "shard-00000/pack-00000000.json",
        ".work/thesis.tex",
    ],
)
def test_overwrite_is_refused_where_other_files_lie(tmp_path, foreign):
    start(tmp_path, "shard-00000")
    (tmp_path / "shard-00000.jsonl").write_text("{}")
    (tmp_path / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / foreign).write_text("precious")
    before = files_of(tmp_path)
    with pytest.raises(OutputExistsError, match=f"holds {foreign}"), WorkFolder(tmp_path) as work:
        work.begin(OTHER_JOB, overwrite=True)
    assert files_of(tmp_path) == before


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_without_a_record_are_refused_though_a_set_has_them_too(tmp_path):
    for name in ("rejects.jsonl", "run.json", "shard-00000.jsonl"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(OutputExistsError, match=f"holds {name}"), WorkFolder(tmp_path) as work:
            work.begin(JOB, overwrite=True)
        (tmp_path / name).unlink()
        # Nor does the refused run leave anything.
        assert list(tmp_path.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_whatever_is_damaged_is_made_again_or_named(tmp_path_factory, data):
    out = tmp_path_factory.mktemp("damaged")
    start(out, "shard-00000")
    with WorkFolder(out) as work:
        work.begin(JOB, overwrite=False)
        work.save_entry(0, entry_of(0))
        write_copy(work.staging / "a.records", b"records")
    kept = sorted(path for path in (out / ".work").rglob("*") if path.is_file())
    path = data.draw(st.sampled_from([path for path in kept if path.name != "lock"]))
    content = bytearray(path.read_bytes())
    if content and data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    with WorkFolder(out) as work:
        if path.name == "run.json":
            with pytest.raises(OutputExistsError, match=r"\.work/run\.json is damaged.*overwrite"):
                work.begin(JOB, overwrite=False)
            assert not work.begin(JOB, overwrite=True)
            assert work.load_span(0) is None
            return
        work.begin(JOB, overwrite=False)
        span, entry = work.load_span(0), work.load_entry(0)
        work.plan_shards(["shard-00000"], is_folder=False)
        assert span is None or span.table.equals(span_of([1]).table)
        assert entry is None or entry == entry_of(0)
        assert (work.staging / "a.records").exists() == ("staged" not in str(path))
        assert work.redone


def write_copy(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    path.with_name(path.name + ".xxh3").write_text(file_checksum(path))


def test_another_plan_drops_the_shards_of_the_one_before(tmp_path):
    start(tmp_path, "shard-00000", "shard-00001")
    for name in ("shard-00000.jsonl", "shard-00001.index.arrow"):
        (tmp_path / name).write_text("{}")
    with WorkFolder(tmp_path) as work:
        work.begin(JOB, overwrite=False)
        work.save_entry(0, entry_of(0))
        assert work.load_span(0) is not None
        work.plan_shards(["shard-00000", "shard-00001"], is_folder=False)
        assert work.load_entry(0) == entry_of(0)
        # The same shards of other measurements are others.
        work.save_span(0, span_of([2]))
        work.plan_shards(["shard-00000", "shard-00001"], is_folder=False)
        assert work.load_entry(0) is None
        assert [path.name for path in tmp_path.iterdir()] == [".work"]


@pytest.mark.parametrize("was_there", [True, False])
def test_a_run_that_fails_before_it_keeps_anything_leaves_nothing(tmp_path, was_there):
    out = tmp_path / "packs"
    if was_there:
        out.mkdir()
    with pytest.raises(ZeroDivisionError), WorkFolder(out) as work:
        work.begin(JOB, overwrite=False)
        raise ZeroDivisionError
    assert out.exists() == was_there
    assert not (out / ".work").exists()
    with pytest.raises(ZeroDivisionError), WorkFolder(out) as work:
        work.begin(JOB, overwrite=False)
        work.save_span(0, span_of([1]))
        raise ZeroDivisionError
    with WorkFolder(out) as work:
        assert not work.begin(JOB, overwrite=False)
        assert work.load_span(0) is not None


def test_work_folder_is_removed_whatever_a_kill_left_of_it(tmp_path):
    finish(tmp_path, JOB)
    for kept in ([], ["lock"], ["run.json"], ["lock", "run.json", "measured/0.arrow"]):
        for name in kept:
            (tmp_path / ".work" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / ".work" / name).touch()
        with WorkFolder(tmp_path) as work:
            assert work.begin(JOB, overwrite=False)
            work.remove()
        assert not (tmp_path / ".work").exists()


def test_overwrite_drops_what_another_job_measured_but_not_what_came_in(tmp_path):
    with WorkFolder(tmp_path) as work:
        work.begin(JOB, overwrite=False)
        work.save_span(0, span_of([1]))
        work.incoming.mkdir()
        (work.incoming / "samples.jsonl").write_text("{}")
        work.begin({**JOB, "options": {"seed": 3}}, overwrite=True)
        assert work.load_span(0) is None
        assert (work.incoming / "samples.jsonl").read_text() == "{}"


def test_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with WorkFolder(tmp_path) as work, pytest.raises(OutputExistsError, match="out must be an emp"):
        work.begin(JOB, overwrite=False)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_folder_has_one_holder_at_a_time(tmp_path):
    with WorkFolder(tmp_path), pytest.raises(LockedError), WorkFolder(tmp_path):
        pass
    with WorkFolder(tmp_path) as work:
        work.remove()
    with WorkFolder(tmp_path):
        assert (tmp_path / ".work").is_dir()
