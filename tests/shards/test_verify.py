"""Verification: a sound set has no problem, and no damage goes unnoticed."""

import dataclasses
import re
from contextlib import suppress
from random import Random

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from packkit.base.errors import FingerprintError, FormatError, PackkitError
from packkit.samples import Pack
from packkit.shards import MANIFEST, REJECTS, PackReader, ShardIndex, verify_packs
from packkit.shards.index_table import IndexBuilder
from packkit.shards.manifest import with_checksum

_FLIPS = 240


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("storage", ["shards", "files"])
def test_a_sound_set_has_no_problem(tmp_path, some_packs, small_encoder, write_set, storage, deep):
    out = tmp_path / "packs"
    rejects = [{"source": "us.tar", "position": 8}]
    write_set(out, some_packs, storage=storage, encoder=small_encoder, rejects=rejects)
    told = []
    report = verify_packs(out, deep=deep, on_progress=lambda *step: told.append(step))
    assert report.problems == []
    samples = [sample for pack in some_packs for sample in pack.data]
    assert (report.packs, report.samples) == (12, len(samples))
    assert report.images == sum(len(sample.images) for sample in samples)
    assert report.encoded == (len(samples) if deep else 0)
    assert told == [("verify", number + 1, 12) for number in range(12)]


def test_what_others_wrote_is_verified_too(foreign_folder, whole_set, small_encoder):
    assert verify_packs(foreign_folder).problems == []
    assert verify_packs(whole_set.path / "shard-00000.jsonl").problems == []
    deep = verify_packs(foreign_folder, deep=True, encoder=small_encoder)
    assert len(deep.problems) == deep.samples == 10
    with pytest.raises(FormatError, match="no encoder"):
        verify_packs(foreign_folder, deep=True)


@pytest.mark.parametrize("storage", ["shards", "files"])
def test_every_flip_of_a_bit_is_noticed(
    tmp_path, some_packs, small_encoder, write_set, read_all, storage
):
    out = tmp_path / "packs"
    rejects = [{"source": "us.tar", "position": 8}]
    write_set(out, some_packs, storage=storage, encoder=small_encoder, rejects=rejects)
    (out / "run.json").write_bytes(with_checksum({"host": "a", "seconds": 1.25}))
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert {path.name for path in files} >= {
        *(MANIFEST, REJECTS, "tokenizer.json", "encoder.json", "run.json")
    }
    random = np.random.default_rng(0)
    for number in range(_FLIPS):
        path = files[number % len(files)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        assert problems(out), f"flip {number} in {path.name}"
        # Who only reads gets what was written, or an error.
        try:
            packs = read_all(out)
        except FormatError:
            pass
        else:
            assert packs == some_packs, f"flip {number} in {path.name}"
        path.write_bytes(whole)
    assert problems(out) == []


def problems(path):
    """Returns what is wrong with a set, whether it is found or raised."""
    try:
        return verify_packs(path).problems
    except FormatError as error:
        return [str(error)]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_every_cut_and_every_missing_file_is_noticed(whole_set, share):
    for path in [path for path in whole_set.path.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert problems(whole_set.path), path.name
        path.unlink()
        assert problems(whole_set.path), path.name
        path.write_bytes(whole)
    assert problems(whole_set.path) == []


def test_problems_are_collected_and_named(whole_set):
    for shard, text in (("shard-00000.jsonl", b"Finding 3"), ("shard-00001.jsonl", b"Finding 7")):
        path = whole_set.path / shard
        path.write_bytes(path.read_bytes().replace(text, text.lower()))
    (whole_set.path / REJECTS).write_bytes(b"")
    problem_lines = "\n".join(verify_packs(whole_set.path).problems)
    for place in (
        "shard-00000.jsonl: sha256",
        "shard-00000.jsonl: pack 3:",
        "shard-00001.jsonl: sha256",
        "shard-00001.jsonl: pack 2:",
        "rejects.jsonl: sha256",
        "us.tar: 1 of 9 records neither packed nor rejected, first 8",
    ):
        assert place in problem_lines


def rewrite(whole_set, shard, change, **totals):
    """Changes the rows of an index and makes the manifest agree, as a faulty writer would."""
    path = whole_set.path / f"shard-0000{shard}.index.arrow"
    index = ShardIndex.open(path)
    builder = IndexBuilder(is_folder=False)
    for row in change([index.row(number) for number in range(len(index))]):
        builder.append(row)
    path.write_bytes(builder.to_bytes())
    checksum = xxhash.xxh3_64_hexdigest(path.read_bytes())
    entries = list(whole_set.manifest.shards)
    entries[shard] = dataclasses.replace(entries[shard], index_checksum=checksum, **totals)
    packs = sum(entry.packs for entry in entries)
    manifest = dataclasses.replace(whole_set.manifest, shards=entries, packs=packs)
    (whole_set.path / MANIFEST).write_bytes(manifest.to_json())


def with_pack(**change):
    return lambda row: row._replace(pack=row.pack._replace(**change))


def with_image(**change):
    return lambda row: row._replace(images=(row.images[0]._replace(**change), *row.images[1:]))


def with_sample(**change):
    return lambda row: row._replace(samples=(row.samples[0]._replace(**change), *row.samples[1:]))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (with_image(width=1), "images 0: .*width=1"),
        (with_image(checksum=1), "images 0: .*checksum=1"),
        (with_sample(length=1), "samples 0: .*length=1"),
        (with_sample(group="else"), "samples 0: .*group='else'"),
        (with_sample(origin=None), "samples 0: .*origin=None"),
        (lambda row: row._replace(images=row.images[1:]), "images: "),
        (with_pack(tokens=1), "tokens: .* 1 in its index"),
        (with_pack(checksum=1), "pack 2: "),
    ],
)
def test_an_index_that_was_written_wrongly_is_noticed(whole_set, change, problem):
    rewrite(whole_set, 1, lambda rows: [*rows[:2], change(rows[2]), *rows[3:]])
    problem_lines = verify_packs(whole_set.path).problems
    (line,) = [line for line in problem_lines if line.startswith("shard-00001.jsonl: pack 2: ")]
    assert re.search(problem, line)


def test_a_pack_indexed_twice_is_noticed(whole_set):
    rewrite(whole_set, 1, lambda rows: [rows[0], rows[0], *rows[2:]])
    (line,) = verify_packs(whole_set.path).problems
    assert "shard-00001.index.arrow: must be the index of a shard (offset number 1" in line


def test_a_pack_that_is_not_indexed_is_noticed(whole_set):
    rewrite(whole_set, 1, lambda rows: [rows[0], *rows[2:]], packs=4)
    problem_lines = verify_packs(whole_set.path).problems
    assert "shard-00001.jsonl: its packs do not follow one another" in problem_lines
    assert any("neither packed nor rejected" in line for line in problem_lines)


@pytest.mark.parametrize("storage", ["shards", "files"])
def test_every_file_that_is_not_part_of_the_set_is_noticed(
    tmp_path, some_packs, small_encoder, write_set, storage
):
    out = tmp_path / "packs"
    write_set(out, some_packs, storage=storage, encoder=small_encoder)
    (out / "run.json").write_bytes(with_checksum({"job": None, "host": "x"}))
    assert verify_packs(out).problems == []
    strangers = [
        "notes.txt",
        "encoder/x",
        ".work/lock",
        "shard-00000.jsonl.tmp",
        "shard-00009.jsonl",
    ]
    if storage == "files":
        strangers += ["shard-00000/pack-99999999.json", "shard-00001/x_packed.json"]
    for name in strangers:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(b"{}")
    expected = sorted(name.replace(".work/lock", ".work") for name in strangers)
    assert sorted(verify_packs(out).problems) == [
        f"{name}: is not part of the set that manifest.json describes" for name in expected
    ]


def test_a_changed_run_json_is_noticed(whole_set):
    path = whole_set.path / "run.json"
    for data in (b"", b"[]", b"{}", with_checksum({"host": "a"}).replace(b'"a"', b'"b"')):
        path.write_bytes(data)
        assert verify_packs(whole_set.path).problems == [
            "run.json: is not what was written: its checksum differs"
        ]


def test_a_pack_over_the_capacity_is_noticed(tmp_path, some_packs, write_set):
    write_set(tmp_path / "packs", some_packs, capacity=some_packs[2].tokens - 1)
    over = [pack.tokens for pack in some_packs if pack.tokens >= some_packs[2].tokens]
    problem_lines = verify_packs(tmp_path / "packs").problems
    assert len([line for line in problem_lines if "capacity" in line]) == len(over) > 0


def test_wrong_lengths_are_only_seen_by_looking_deep(
    tmp_path, some_packs, small_encoder, write_set
):
    pack = some_packs[3]
    wrong = Pack(pack.data, (pack.lengths[0] + 1, *pack.lengths[1:]))
    out = tmp_path / "packs"
    write_set(out, [*some_packs[:3], wrong], encoder=small_encoder)
    assert verify_packs(out).problems == []
    assert verify_packs(out, deep=True).problems == [
        f"shard-00000.jsonl: pack 3: sample 0: length is {pack.lengths[0]}, "
        f"expected {pack.lengths[0] + 1}"
    ]


def test_wrong_image_tokens_are_only_seen_by_looking_deep(whole_set):
    rewrite(whole_set, 0, lambda rows: [with_image(tokens=8)(rows[0]), *rows[1:]])
    assert verify_packs(whole_set.path).problems == []
    (problem,) = verify_packs(whole_set.path, deep=True).problems
    assert problem.startswith("shard-00000.jsonl: pack 0: tokens of its images is [9, 9]")


def test_image_tokens_said_to_be_unknown_are_seen_by_looking_deep(whole_set):
    rewrite(whole_set, 0, lambda rows: [with_image(tokens=-1)(rows[0]), *rows[1:]])
    (problem,) = verify_packs(whole_set.path, deep=True).problems
    assert problem.startswith("shard-00000.jsonl: pack 0: tokens of its images is [9, 9]")


FORGED = (-(2**63), -1, 0, 1, 7, 2**31 - 1, 2**40, 2**63 - 1)


def forge(value, random):
    """Changes one number or list somewhere in the rows of an index."""
    if isinstance(value, dict):
        key = random.choice(list(value))
        return {**value, key: forge(value[key], random)}
    if isinstance(value, list) and value:
        place = random.randrange(len(value))
        changed = random.choice([[], [value[place]] * 2, *[[forge(value[place], random)]] * 8])
        return [*value[:place], *changed, *value[place + 1 :]]
    if isinstance(value, int):
        return random.choice([*FORGED, value + random.randint(-40, 40)])
    return random.choice(["../x", "/etc/passwd", "shard-00000.jsonl"])


@pytest.mark.parametrize("storage", ["shards", "files"])
def test_a_forged_index_is_refused_or_found_and_never_a_crash(
    tmp_path, some_packs, small_encoder, write_set, storage
):
    out, random = tmp_path / "packs", Random(0)
    manifest = write_set(out, some_packs, storage=storage, encoder=small_encoder)
    (path,) = {*out.glob("shard-00001.index.arrow"), *out.glob("shard-00001/packs.index.arrow")}
    with pa.ipc.open_file(path) as file:
        table = file.read_all()
    for _ in range(60):
        try:
            forged = pa.Table.from_pylist(forge(table.to_pylist(), random), table.schema)
        except (pa.ArrowException, OverflowError):
            continue
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(forged)
        checksum = xxhash.xxh3_64_hexdigest(path.read_bytes())
        entries = list(manifest.shards)
        entries[1] = dataclasses.replace(entries[1], index_checksum=checksum)
        changed = dataclasses.replace(manifest, shards=entries)
        (out / MANIFEST).write_bytes(changed.to_json())
        assert bool(verify_packs(out, deep=True).problems) == (forged != table)
        with PackReader(out) as reader:
            for number in range(5, 10):
                for read in (reader.__getitem__, reader.image_sizes, images_of(reader)):
                    with suppress(PackkitError, IndexError):
                        read(number)


def images_of(reader):
    return lambda number: [
        sample.image_bytes(image)
        for sample in reader.lazy(number).data
        for image in range(len(sample.images))
    ]


def test_looking_deep_takes_no_other_encoder(whole_set, encoder):
    with pytest.raises(FingerprintError, match="image_tokens"):
        verify_packs(whole_set.path, deep=True, encoder=encoder)


def test_a_record_lost_or_packed_twice_is_noticed(tmp_path, some_packs, write_set):
    origins = {sample.origin for pack in some_packs for sample in pack.data}
    for packs, problem in (
        (some_packs[:-1], "neither packed nor rejected"),
        ([*some_packs, some_packs[0]], "more than once"),
    ):
        out = tmp_path / problem.replace(" ", "-")
        manifest = write_set(out, packs)
        counts = {name: sum(o.source == name for o in origins) for name in ("ct.jsonl", "us.tar")}
        sources = [{"name": name, "read": count} for name, count in counts.items()]
        manifest = dataclasses.replace(manifest, sources=sources)
        (out / MANIFEST).write_bytes(manifest.to_json())
        problem_lines = verify_packs(out).problems
        assert problem_lines and all(problem in line for line in problem_lines)


def test_a_source_that_the_manifest_does_not_know_is_noticed(whole_set):
    manifest = dataclasses.replace(whole_set.manifest, sources=whole_set.manifest.sources[:1])
    (whole_set.path / MANIFEST).write_bytes(manifest.to_json())
    (problem,) = verify_packs(whole_set.path).problems
    assert problem == "us.tar: has samples in the packs but is no source in the manifest"


def test_rejects_that_cannot_be_read_are_noticed(tmp_path, some_packs, write_set):
    out = tmp_path / "packs"
    write_set(out, some_packs, rejects=[{"source": "us.tar"}])
    assert any(
        line.startswith("rejects.jsonl: cannot be read") for line in verify_packs(out).problems
    )
