"""What is planted is found, and nothing else; what cannot be read is counted."""

import pytest

from packkit.base.errors import InputError
from packkit.overlap import OverlapSide, Place, find_overlap
from packkit.packing import PackConfig, pack


def check(train, held_out, **options):
    return find_overlap(OverlapSide(paths=[train]), OverlapSide(paths=[held_out]), **options)


def test_planted_overlap_is_found_and_nothing_else(write, pictures, encode):
    again = encode(pictures[2], "JPEG", quality=50)
    small = encode(pictures[3], "PNG", resampling=1)
    train = write(
        "train",
        ("What is shown here?", pictures[1]),
        ("Is it normal", again),
        ("Is it normal?", pictures[5]),
        (("Which plane?", "Which side?"), pictures[6], small),
        ("Which organ?", pictures[7]),
    )
    held_out = write(
        "eval",
        ("Any fracture?", pictures[1]),
        ("IS IT NORMAL?", pictures[2]),
        ("which side", pictures[3]),
        ("Any mass?", pictures[9]),
    )
    report = check(train, held_out)
    assert [(hit.kind, hit.train, hit.eval, hit.is_exact) for hit in report.hits] == [
        ("image", *places(0, 0, 0), True),
        ("image+question", *places(1, 0, 1), False),
        ("image+question", *places(3, 1, 2), False),
    ]
    assert (report.leaked_images, report.leaked_pairs, report.same_questions) == (3, 2, 3)
    assert (report.train_samples, report.eval_samples, report.eval_images) == (5, 4, 4)
    assert report.train_unreadable == report.eval_unreadable == {}


def places(train, image, held_out):
    return (
        Place("train.jsonl", train, f"train/{train}", image),
        Place("eval.jsonl", held_out, f"eval/{held_out}", 0),
    )


def test_a_question_alone_is_counted_and_no_hit(write, pictures):
    report = check(
        write("train", ("Is it normal?", pictures[0])), write("eval", ("is it normal", pictures[1]))
    )
    assert (report.hits, report.leaked_images, report.same_questions) == ([], 0, 1)


def test_what_cannot_be_read_is_counted_on_both_sides(write, pictures):
    train = write("train", ("A?", pictures[0]), ("B?", b"no image"), ("C?", None))
    held_out = write("eval", ("D?", None), ("E?", pictures[0]))
    report = check(train, held_out)
    assert report.train_unreadable == {"invalid_image": 1, "missing_image": 1}
    assert report.eval_unreadable == {"missing_image": 1}
    assert (report.train_samples, report.eval_samples, report.leaked_images) == (1, 1, 1)


def test_a_side_of_which_nothing_can_be_read_is_an_error(write, pictures):
    good, bad = write("good", ("A?", pictures[0])), write("bad", ("B?", None), ("C?", b"no image"))
    reasons = "invalid_image 1, missing_image 1"
    with pytest.raises(InputError, match=f"no sample of the training data can be read: {reasons}"):
        check(bad, good)
    with pytest.raises(InputError, match=f"no sample of the evaluation set can be read: {reasons}"):
        check(good, bad)


def test_pack_sets_are_read(write, pictures, tmp_path, small_encoder):
    train = write("train", *((f"Number {number}?", pictures[number]) for number in range(4)))
    config = PackConfig(max_len=256, workers=1)
    pack([train], tmp_path / "packs", config, encoder=small_encoder)
    report = check(tmp_path / "packs", write("eval", ("number 2", pictures[2])))
    (hit,) = report.hits
    assert (hit.kind, hit.train.id) == ("image+question", "train/2")
    assert report.train_samples == 4


def test_distance_is_a_limit(write, pictures, encode):
    again = encode(pictures[0], "JPEG", resampling=1, quality=5)
    train, held_out = write("train", ("A?", again)), write("eval", ("B?", pictures[0]))
    (hit,) = check(train, held_out, max_distance=64).hits
    assert hit.distance > 0
    assert check(train, held_out, max_distance=hit.distance - 1).hits == []


def test_distance_out_of_range():
    with pytest.raises(InputError, match=r"max_distance must be in 0\.\.64, got 65"):
        check("x", "y", max_distance=65)
