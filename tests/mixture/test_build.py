"""Building from a lock again ends at once, and another lock is another job."""

import shutil

import pytest

from packkit.base.errors import InputError, OutputExistsError
from packkit.mixture import build_mixture, choice, resolve_mixture


@pytest.fixture
def resolve(tmp_path, small_encoder):
    def run(mixture):
        return resolve_mixture(
            mixture, tmp_path / "stage.lock.json", data=tmp_path, encoder=small_encoder
        )

    return run


@pytest.fixture
def build(tmp_path, small_encoder):
    def run(lock, **options):
        options = {"data": tmp_path, "encoder": small_encoder, **options}
        return build_mixture(lock, tmp_path / "packs", **options)

    return run


def times_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_same_lock_again_ends_at_once_without_a_survey(
    tmp_path, captions, mixture, resolve, build, monkeypatch
):
    lock = resolve(mixture({**captions("a", 20), "take": 13}))
    first = build(lock)
    before = times_of(tmp_path / "packs")
    # Opening the files is the first thing that a survey does.
    monkeypatch.setattr(choice, "open_mixture", None)
    again = build(lock, workers=1)
    assert (first.was_complete, again.was_complete) == (False, True)
    assert again.manifest.to_json() == first.manifest.to_json()
    assert times_of(tmp_path / "packs") == before


def test_another_lock_or_changed_data_are_refused(tmp_path, captions, mixture, resolve, build):
    source = captions("a", 20)
    lock = resolve(mixture({**source, "take": 13}))
    build(lock)
    other = resolve(mixture({**source, "take": 12}))
    with pytest.raises(OutputExistsError, match="lock_sha256 was"):
        build(other)
    assert build(other, overwrite=True).samples_packed == 12
    captions("a", 21)
    with pytest.raises(OutputExistsError, match=r"files\[0\]\[1\]\.mtime_ns was"):
        build(other)


def test_the_old_set_stays_where_the_data_are_refused(tmp_path, captions, mixture, resolve, build):
    source = captions("a", 20)
    lock = resolve(mixture({**source, "take": 13}))
    build(lock)
    before = times_of(tmp_path / "packs")
    captions("a", 12)
    with pytest.raises(InputError, match="source a"):
        build(lock, overwrite=True)
    assert times_of(tmp_path / "packs") == before and not (tmp_path / ".packs.new").exists()


def test_sources_in_the_output_are_refused(tmp_path, captions, mixture, resolve, build):
    lock = resolve(mixture(captions("packs", 20)))
    with pytest.raises(InputError, match="is an input and the output folder"):
        build(lock, overwrite=True)
    assert [path.name for path in (tmp_path / "packs").iterdir()] == ["0.jsonl"]


def test_other_data_of_the_same_names_are_another_job(tmp_path, captions, mixture, resolve, build):
    lock = resolve(mixture(captions("a", 20)))
    build(lock)
    shutil.copytree(tmp_path / "a", tmp_path / "other" / "a")
    with pytest.raises(OutputExistsError, match="data was"):
        build(lock, data=tmp_path / "other")
