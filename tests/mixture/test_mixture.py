"""From a mixture to its lock, to packs, to batches: every count stays what it was."""

from collections import Counter

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packing_inputs import caption, set_bytes, write_lines

from packkit import PackLoader
from packkit.base.append_log import log_line
from packkit.base.errors import (
    ChecksumError,
    FingerprintError,
    FormatError,
    InputError,
    RejectRateError,
    SourceChangedError,
)
from packkit.infimed.curation.assessments import Assessment
from packkit.infimed.data.catalog import MODALITIES
from packkit.mixture import Lock, build_mixture, resolve_mixture
from packkit.mixture.modalities import UNKNOWN
from packkit.packing import PackConfig, pack
from packkit.samples import Sample
from packkit.samples.keys import sample_key
from packkit.shards import PackReader, verify_packs


@pytest.fixture
def resolve(tmp_path, small_encoder):
    """Resolves a mixture of the data in the test's folder."""

    def run(mixture, data=tmp_path, name="stage.lock.json"):
        return resolve_mixture(mixture, tmp_path / name, data=data, encoder=small_encoder)

    return run


@pytest.fixture
def build(tmp_path, small_encoder):
    """Packs what a lock says."""

    def run(lock, data=tmp_path, name="packs", **options):
        build_mixture(lock, tmp_path / name, data=data, encoder=small_encoder, **options)
        return tmp_path / name

    return run


def test_what_a_source_ignores_costs_no_sample(tmp_path, mixture, resolve, build):
    records = [caption(number, source="a") | {"loss_mask": [number]} for number in range(5)]
    write_lines(tmp_path / "a.jsonl", records)
    source = {"use": "a", "path": "a.jsonl"}
    with pytest.raises(RejectRateError, match="5 of 5 samples rejected"):
        resolve(mixture(source))
    packs = build(resolve(mixture({**source, "ignore": ["loss_mask"]})))
    (samples,) = samples_by_source(packs).values()
    assert len(samples) == 5


def samples_by_source(packs):
    """Lengths and images of the samples of a set, by origin."""
    samples = {}
    for stored in PackReader(packs):
        for sample, length in zip(stored.data, stored.lengths, strict=True):
            samples.setdefault(sample.origin.source, []).append((sample, length))
    return samples


def test_every_data_set_goes_through_mix_and_pack_to_a_batch(
    tmp_path, every_data_set, mixture, resolve, build
):
    folder, data_sets = every_data_set
    sources = []
    for name, records in data_sets.items():
        paths = [str(path.relative_to(folder)) for path in records.paths]
        images = None if records.data_root is None else str(records.data_root.relative_to(folder))
        use = name.split(" ")[0]
        sources.append(
            {"use": use, "name": name, "path": paths, "images": images, "max_reject_rate": 1}
        )
    lock = resolve(mixture(*sources), data=folder)
    for source, (name, records) in zip(lock.sources, data_sets.items(), strict=True):
        assert source.name == name
        assert set(source.layouts) == {records.layout}
        assert source.read == records.samples == source.available + sum(source.rejected.values())
        assert source.rejected == ({"missing_image": records.missing} if records.missing else {})
        assert source.taken == source.distinct == records.samples - records.missing
        assert source.images == records.images and source.image_tokens == 5 * records.images
        assert set(source.modalities) <= {*MODALITIES, UNKNOWN}
    packs = build(lock, data=folder)
    read = samples_by_source(packs)
    assert {name: len(samples) for name, samples in read.items()} == {
        source.name: source.taken for source in lock.sources
    }
    loader = PackLoader(packs, packs_per_step=2, threads=1, image_size=32)
    batches = list(loader)
    assert sum(batch.num_segments for batch in batches) == lock.samples
    tokens = sum(int((batch.segment_ids > 0).sum()) for batch in batches)
    assert tokens == lock.tokens
    assert sum(len(batch.pixel_values) for batch in batches) == sum(
        source.images for source in lock.sources
    )


def test_lock_states_what_the_packs_hold(captions, mixture, resolve, build):
    sources = (
        {**captions("a", 40), "take": 13},
        {**captions("b", 30), "repeat": 1.5},
        {**captions("c", 50), "tokens": "3K"},
        {**captions("d", 5), "take": "0.012K", "shortage": "repeat"},
    )
    lock = resolve(mixture(*sources))
    a, b, c, d = lock.sources
    assert (a.taken, b.taken, d.taken) == (13, 45, 12)
    assert (a.distinct, b.distinct, d.distinct) == (13, 30, 5)
    assert c.tokens <= 3000 < c.tokens + 512
    packs = build(lock)
    assert verify_packs(packs, deep=True).problems == []
    for source in lock.sources:
        samples = samples_by_source(packs)[source.name]
        assert sorted(sample.origin.position for sample, _ in samples) == list(range(source.taken))
        assert sum(length for _, length in samples) == source.tokens
        counts = Counter(sample.id for sample, _ in samples)
        assert len(counts) == source.distinct
        assert max(counts.values()) - min(counts.values()) <= 1
    assert Lock.read(packs.parent / "stage.lock.json").to_json() == lock.to_json()


def test_weights_are_shares_of_a_total(captions, mixture, resolve):
    sources = [{**captions(name, 60), "weight": weight} for name, weight in (("a", 1), ("b", 2))]
    lock = resolve(mixture(*sources, total=50))
    assert [source.taken for source in lock.sources] == [17, 33]
    lock = resolve(mixture(*sources, total="6K", unit="tokens"))
    a, b = (source.tokens for source in lock.sources)
    assert 1488 < a <= 2000 and 3488 < b <= 4000


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.integers(1, 5), order=st.permutations(range(20)))
def test_shards_and_order_do_not_matter(tmp_path, mixture, resolve, captions, files, order):
    def content(**options):
        for path in tmp_path.glob("slake/*"):
            path.unlink()
        source = {**captions("slake", 20, **options), "take": 7}
        (locked,) = resolve(mixture(source)).sources
        return locked.content, locked.tokens

    assert content(files=files, order=order) == content()


def test_thirteen_are_a_subset_of_twenty(captions, mixture, resolve, build):
    source = captions("slake", 40)
    ids = []
    for count in (13, 20):
        lock = resolve(mixture({**source, "take": count}))
        samples = samples_by_source(build(lock, name=f"packs-{count}"))["slake"]
        ids.append({sample.id for sample, _ in samples})
    assert ids[0] < ids[1]


def test_filters_come_first_and_are_counted(tmp_path, mixture, resolve, build):
    def dialogue(number, answer):
        turns = [("user", "Is it normal?"), ("assistant", answer)]
        messages = [{"role": role, "content": text} for role, text in turns]
        return {"id": str(number), "messages": messages}

    refusal = "I'm sorry, but I can't help with that."
    records = [dialogue(i, refusal if i % 4 == 0 else f"Yes, {i}.") for i in range(40)]
    write_lines(tmp_path / "a.jsonl", records)
    source = {"use": "a", "path": "a.jsonl", "filters": ["no-refusal@1"]}
    (locked,) = resolve(mixture({**source, "take": 30})).sources
    assert (locked.available, locked.dropped, locked.taken) == (40, {"no-refusal@1": 10}, 30)
    with pytest.raises(InputError, match="source a: 31 samples asked for, 30 available after"):
        resolve(mixture({**source, "take": 31}))
    packs = build(Lock.read(tmp_path / "stage.lock.json"))
    answers = [sample.texts[-1] for sample, _ in samples_by_source(packs)["a"]]
    assert len(answers) == 30 and refusal not in answers


def test_scores_decide(tmp_path, captions, mixture, resolve):
    source = captions("a", 10)
    lines = []
    for number in range(10):
        key = sample_key(Sample.from_dict(caption(number)))
        scores = dict.fromkeys(
            ("accuracy", "clarity", "completeness", "imaging_relevance", "practicality", "overall"),
            1 + number % 5,
        )
        assessment = Assessment(
            key=f"{key:016x}", request=f"{number:064x}", dataset="a", id=None, source="a.jsonl",
            position=number, has_image=True, model="judge", prompt_version="1", state="ok",
            scores=scores, comments={}, reply="", error="", attempts=1, prompt_tokens=1,
            completion_tokens=1, cost=None,
        )  # fmt: skip
        lines.append(log_line(assessment.to_dict()))
    (tmp_path / "scores.jsonl").write_bytes(b"".join(lines))
    rule = {"name": "min-score", "scores": "scores.jsonl", "min": 3}
    (locked,) = resolve(mixture({**source, "filters": [rule]})).sources
    assert locked.dropped == {"min-score@1": 4} and locked.taken == 6
    (tmp_path / "scores.jsonl").write_bytes(b"".join(lines[1:]))
    with pytest.raises(InputError, match=r"sample 'caption/0' has no score in scores.jsonl"):
        resolve(mixture({**source, "filters": [rule]}))
    for unscored, taken in (("keep", 7), ("drop", 6)):
        recipe = mixture({**source, "filters": [{**rule, "unscored": unscored}]})
        assert resolve(recipe).samples == taken


def test_the_same_file_in_two_sources_is_an_error(captions, mixture, resolve):
    source = captions("a", 3)
    with pytest.raises(InputError, match=r"source b: .*0.jsonl is a file of a too"):
        resolve(mixture(source, {**source, "use": "b"}))
    with pytest.raises(InputError, match="sources: a stands there 2 times"):
        mixture(source, source)


def test_changed_data_are_refused_and_the_source_named(tmp_path, captions, mixture, resolve, build):
    lock = resolve(mixture({**captions("a", 20), "take": 5}, captions("b", 5)))
    captions("b", 6)
    with pytest.raises(SourceChangedError, match=r"source b: changed.*: files is"):
        build(lock)


def test_changed_locks_and_other_encoders_are_refused(
    tmp_path, captions, mixture, resolve, build, encoder
):
    path = tmp_path / "stage.lock.json"
    lock = resolve(mixture(captions("a", 20)))
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"taken": 20', b'"taken": 21'))
    with pytest.raises(ChecksumError):
        Lock.read(path)
    for broken in (b"[]", b"{", b"{}"):
        path.write_bytes(broken)
        with pytest.raises(FormatError):
            Lock.read(path)
    with pytest.raises(FingerprintError, match="not the encoder that the lock was made with"):
        build_mixture(lock, tmp_path / "packs", data=tmp_path, encoder=encoder)


def test_rejects_are_listed_and_too_many_fail_after_the_lock_is_written(tmp_path, mixture, resolve):
    records = [caption(i) for i in range(9)]
    write_lines(tmp_path / "a.jsonl", [*records, {**caption(9), "images": ["gone.png"]}])
    source = {"use": "a", "path": "a.jsonl"}
    with pytest.raises(RejectRateError, match=r"1 of 10 samples .* max_reject_rate of source a"):
        resolve(mixture(source))
    assert Lock.read(tmp_path / "stage.lock.json").samples == 9
    (reject,) = (tmp_path / "stage.lock.json.rejects.jsonl").read_bytes().splitlines()
    assert orjson.loads(reject)["reason"] == "missing_image"
    assert orjson.loads(reject)["source"] == "a/a.jsonl"
    assert resolve(mixture({**source, "max_reject_rate": 0.1})).sources[0].rejected == {
        "missing_image": 1
    }
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []


def test_sets_are_the_same_bytes_whatever_the_workers_and_as_packed_directly(
    tmp_path, captions, mixture, resolve, build, small_encoder
):
    lock = resolve(mixture({**captions("a", 60, files=3), "take": 40}))
    first = set_bytes(build(lock, workers=1))
    assert first == set_bytes(build(lock, name="again", workers=3))
    whole = resolve(mixture(captions("b", 30)))
    packs = build(whole, name="mixed")
    pack(tmp_path / "b", tmp_path / "direct", PackConfig(max_len=512), encoder=small_encoder)
    ids = [
        sorted(sample.id for stored in PackReader(folder) for sample in stored.data)
        for folder in (packs, tmp_path / "direct")
    ]
    assert ids[0] == ids[1]


def test_shares_add_up(captions, mixture, resolve):
    lock = resolve(mixture(captions("a", 7), captions("b", 11)))
    fields = orjson.loads(lock.to_json())
    for share in ("share_of_samples", "share_of_tokens"):
        assert np.isclose(sum(source[share] for source in fields["sources"]), 1, atol=1e-5)
    assert sum(count.tokens for count in lock.modalities.values()) == lock.tokens
    assert list(lock.modalities) == [UNKNOWN]
