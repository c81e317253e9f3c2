"""The same samples are drawn from the same data, however it lies on disk."""

import base64
import json
import random

import pytest
from packing_inputs import caption, png, write_lines

from packkit.base.errors import InputError
from packkit.infimed.curation.sampling import draw, input_sets


@pytest.fixture
def drawn(tmp_path):
    """Draws from paths; `name` names the data set."""

    def run(paths, samples=10, *, name="set", seed=0, **options):
        (input_set,) = input_sets([f"{name}={path}" for path in paths])
        defaults = {"layout": "auto", "columns": {}, "data_root": None}
        staging = tmp_path / "staging"
        return draw(input_set, samples, seed=seed, staging=staging, **{**defaults, **options})

    return run


def ids(drawn_set):
    return [drawn.sample.id for drawn in drawn_set.samples]


def test_order_and_shards_do_not_matter(tmp_path, drawn):
    records = [caption(number) for number in range(60)]
    path = write_lines(tmp_path / "one.jsonl", records)
    expected = ids(drawn([path]))
    assert len(set(expected)) == 10
    shuffled = random.Random(0).sample(records, 60)
    parts = [write_lines(tmp_path / f"{n}.jsonl", shuffled[n::3]) for n in range(3)]
    assert ids(drawn(parts)) == ids(drawn(parts[::-1])) == expected
    array = tmp_path / "array.json"
    array.write_text(json.dumps(shuffled))
    assert ids(drawn([array])) == expected


def test_fewer_are_a_part_of_more_and_other_seeds_and_names_draw_others(tmp_path, drawn):
    path = write_lines(tmp_path / "a.jsonl", [caption(number) for number in range(60)])
    ten = ids(drawn([path]))
    assert ids(drawn([path], 20))[:10] == ten
    assert set(ids(drawn([path], 100))) == {f"caption/{number}" for number in range(60)}
    assert ids(drawn([path], seed=1)) != ten
    assert ids(drawn([path], name="other")) != ten


def test_every_sample_is_as_likely_as_any_other(tmp_path, drawn):
    records = [{"id": str(n), "content": f"text {n}"} for n in range(40)]
    path = write_lines(tmp_path / "a.jsonl", records)
    counts = dict.fromkeys((str(n) for n in range(40)), 0)
    for seed in range(200):
        for sample in ids(drawn([path], seed=seed)):
            counts[sample] += 1
    # 50 expected, standard deviation 6.1.
    assert all(25 <= count <= 75 for count in counts.values())


def test_repeated_records_are_drawn_once(tmp_path, drawn):
    records = [caption(number) for number in range(5)]
    path = write_lines(tmp_path / "a.jsonl", records + records[::-1])
    drawn_set = drawn([path])
    assert (drawn_set.read, drawn_set.repeated, len(drawn_set.samples)) == (10, 5, 5)
    assert sorted(sample.origin.position for sample in drawn_set.samples) == [0, 1, 2, 3, 4]


def test_of_repeated_records_the_same_one_is_named_in_any_order(tmp_path, drawn):
    paths = [write_lines(tmp_path / f"{name}.jsonl", [caption(1)]) for name in "ba"]
    for order in (paths, paths[::-1]):
        (sample,) = drawn(order).samples
        assert sample.origin == ("a.jsonl", 0)


def test_unreadable_records_are_counted_with_their_reasons(tmp_path, drawn):
    cut = base64.b64encode(png(1)[:200]).decode()
    records = [
        caption(1),
        b"{no JSON",
        caption(2, images=[cut]),
        caption(3, images=["no base64"]),
        {"id": "4"},
        caption(5),
    ]
    drawn_set = drawn([write_lines(tmp_path / "a.jsonl", records)])
    assert sorted(ids(drawn_set)) == ["caption/1", "caption/5"]
    assert drawn_set.read == 6
    assert drawn_set.unreadable == {
        "invalid_base64": 1,
        "invalid_image": 1,
        "invalid_json": 1,
        "invalid_sample": 1,
    }
    assert len(drawn_set.examples) == 3
    assert drawn_set.examples[0].startswith("a.jsonl: record 1: invalid_json")


def test_data_set_without_a_sample_is_an_error(tmp_path, drawn):
    path = write_lines(tmp_path / "a.jsonl", [caption(1, images=["no base64"])])
    with pytest.raises(InputError, match=r"set: none of 1 records makes a sample: a\.jsonl: rec"):
        drawn([path])


def test_images_outlive_their_record(tmp_path, drawn):
    path = write_lines(tmp_path / "a.jsonl", [caption(number) for number in range(3)])
    drawn_set = drawn([path])
    path.unlink()
    images = sorted(drawn.sample.image_bytes(0) for drawn in drawn_set.samples)
    assert images == sorted(map(png, range(3)))


def test_data_sets_are_named_by_hand_or_by_stem(tmp_path):
    odd = tmp_path / "x=y.jsonl"
    odd.touch()
    inputs = ["slake=a/train.json", "b/roco.jsonl.gz", "slake=a/test.json", "c/vqa-rad", str(odd)]
    assert input_sets(inputs) == [
        ("slake", ("a/train.json", "a/test.json")),
        ("roco", ("b/roco.jsonl.gz",)),
        ("vqa-rad", ("c/vqa-rad",)),
        ("x=y", (str(odd),)),
    ]


@pytest.mark.parametrize("text", ["data/*.jsonl", "data/part-[0-9].tar", "/"])
def test_input_without_a_name_is_an_error(text):
    with pytest.raises(InputError, match="name the data set"):
        input_sets([text])


def test_no_input_is_an_error():
    with pytest.raises(InputError, match="no input"):
        input_sets([])
