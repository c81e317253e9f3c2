"""What is planted is found, whatever was done to it, and nothing else is."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_inputs import write_lines
from PIL import Image

from packkit.errors import InputError
from packkit.overlap import find_overlap
from packkit.overlap.check import Inputs
from packkit.overlap.pictures import MIN_CORRELATION, Picture, PictureIndex, describe
from packkit.overlap.questions import normalized

ROOT = Path(__file__).parents[2]
SIDE = st.integers(0, 2**64 - 1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, qwen3_folder):
    """The files of the demo's images."""
    folder = tmp_path_factory.mktemp("demo")
    build = [sys.executable, ROOT / "examples/demo/build.py", folder / "data"]
    subprocess.run([*build, "--tokenizer", folder / "t.json"], check=True, capture_output=True)
    return sorted((folder / "data" / "vqa" / "images").iterdir())


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def half(image, resampling=Image.Resampling.LANCZOS):
    return image.resize((image.width // 2, image.height // 2), resampling)


CHANGES = {
    "png": lambda image: encoded(image, "PNG"),
    "jpeg 90": lambda image: encoded(image, "JPEG", quality=90),
    "jpeg 50": lambda image: encoded(image, "JPEG", quality=50),
    "half, lanczos": lambda image: encoded(half(image), "PNG"),
    "half, bilinear": lambda image: encoded(half(image, Image.Resampling.BILINEAR), "PNG"),
    "square": lambda image: encoded(image.resize((384, 384)), "JPEG", quality=90),
}


@pytest.fixture(scope="module")
def index(pictures):
    return PictureIndex([describe(path.read_bytes()) for path in pictures])


@pytest.mark.parametrize("change", CHANGES)
def test_every_demo_image_is_found_again_and_no_other(pictures, index, change):
    for number, path in enumerate(pictures):
        with Image.open(path) as image:
            plain = image.convert("L" if image.mode == "L" else "RGB")
        matches = index.matches(describe(CHANGES[change](plain)))
        assert [match.number for match in matches] == [number], path.name


def test_demo_images_are_told_apart(pictures, index):
    for number, path in enumerate(pictures):
        (match,) = index.matches(describe(path.read_bytes()))
        assert match[:3] == (number, True, 0)


@given(st.lists(SIDE, min_size=1, max_size=12), SIDE, st.integers(0, 64), st.randoms())
def test_matches_are_those_of_a_plain_loop(hashes, wanted, limit, random):
    def picture(phash, digest):
        grey = np.zeros(1024, np.float32)
        grey[random.randrange(3)] = 1
        return Picture(digest, phash, grey)

    known = [picture(phash, bytes([number % 4])) for number, phash in enumerate(hashes)]
    one = picture(wanted, bytes([0]))
    expected = [
        (number, other.digest == one.digest, (other.phash ^ one.phash).bit_count())
        for number, other in enumerate(known)
        if (other.phash ^ one.phash).bit_count() <= limit
        and (other.digest == one.digest or other.grey @ one.grey >= MIN_CORRELATION)
    ]
    found = PictureIndex(known, limit).matches(one)
    assert [match[:3] for match in found] == expected


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_normalized_text_is_normalized(text):
    once = normalized(text)
    assert normalized(once) == once
    assert once == once.strip() and "  " not in once


@given(st.lists(st.sampled_from(["is", "this", "ct", "正常", "肺"]), min_size=1), st.data())
def test_case_space_and_punctuation_do_not_matter(words, data):
    between = st.text(" \t\n.,;:!?-()！？、", min_size=1, max_size=3)
    text = "".join(word + data.draw(between) for word in words)
    assert normalized(data.draw(between) + text.upper()) == " ".join(words)


def dialogue(number, question, image):
    return {
        "id": f"s/{number}",
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
            {"role": "assistant", "content": "Yes."},
        ],
        "images": [image],
    }


def test_planted_overlap_is_found_and_nothing_else(tmp_path, pictures):
    def record(number, question, name, data):
        (tmp_path / name).write_bytes(data)
        return dialogue(number, question, name)

    files = [path.read_bytes() for path in pictures[:12]]
    with Image.open(io.BytesIO(files[2])) as image:
        again = encoded(image.convert("RGB"), "JPEG", quality=50)
    train = [
        record(0, "What is shown here?", "t0.jpg", files[1]),
        record(1, "Is it normal", "t1.jpg", again),
        record(2, "Is it normal?", "t2.jpg", files[5]),
        record(3, "Which plane?", "t3.jpg", files[6]),
        record(4, "Broken?", "t4.jpg", b"no image"),
        dialogue(5, "Gone?", "gone.jpg"),
    ]
    held_out = [
        record(0, "Any fracture?", "e0.jpg", files[1]),
        record(1, "IS IT NORMAL?", "e1.jpg", files[2]),
        record(2, "Which organ?", "e2.jpg", files[9]),
    ]
    write_lines(tmp_path / "train.jsonl", train)
    write_lines(tmp_path / "eval.jsonl", held_out)
    report = find_overlap(
        Inputs(paths=[tmp_path / "train.jsonl"]), Inputs(paths=[tmp_path / "eval.jsonl"])
    )
    assert [(hit.kind, hit.train.id, hit.eval.id, hit.is_exact) for hit in report.hits] == [
        ("image", "s/0", "s/0", True),
        ("image+question", "s/1", "s/1", False),
    ]
    assert (report.leaked_images, report.leaked_pairs, report.same_questions) == (2, 1, 2)
    assert (report.train_samples, report.eval_samples) == (4, 3)
    assert report.train_unreadable == {"invalid_image": 1, "missing_image": 1}


def test_command_says_it_by_its_exit_code(tmp_path, pictures):
    for name, numbers in (("a", (0, 1)), ("b", (1, 2)), ("c", (3, 4))):
        folder = tmp_path / name
        records = []
        for number in numbers:
            path = folder / pictures[number].name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(pictures[number].read_bytes())
            records.append(dialogue(number, "What is it?", path.name))
        write_lines(folder / "data.jsonl", records)

    def run(one, other, *options):
        command = [sys.executable, "-m", "packkit", "overlap", one, "--against", other, *options]
        return subprocess.run(
            list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, check=False
        )

    found = run("a/data.jsonl", "b/data.jsonl", "--json", "--out", "hits.jsonl")
    assert found.returncode == 1, found.stderr
    (hit,) = json.loads(found.stdout)["hits"]
    assert json.loads((tmp_path / "hits.jsonl").read_text()) == hit
    assert (hit["kind"], hit["train"]["id"], hit["eval"]["id"]) == ("image+question", "s/1", "s/1")
    clean = run("a/data.jsonl", "c/data.jsonl")
    assert clean.returncode == 0, clean.stderr
    assert "of them in training" in clean.stdout


def test_distance_out_of_range():
    with pytest.raises(InputError, match=r"max_distance must be in 0\.\.64, got 65"):
        find_overlap(Inputs(paths=["x"]), Inputs(paths=["y"]), max_distance=65)
