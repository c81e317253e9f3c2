"""``packkit overlap`` tells by its exit code, and writes what it found."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    """Runs the command in the folder of the data."""

    def run(*arguments):
        command = [sys.executable, "-m", "packkit", "overlap", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_an_image_makes_it_fail(run, write, pictures, tmp_path):
    train = write("train", ("What?", pictures[0]), ("Who?", pictures[1]))
    held_out = write("eval", ("what", pictures[0]), ("Where?", pictures[1]))
    done = run(train, "--against", held_out, "--json", "--out", "hits.jsonl")
    assert (done.returncode, done.stderr) == (1, "")
    hits = json.loads(done.stdout)["hits"]
    lines = (tmp_path / "hits.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == hits
    assert [hit["kind"] for hit in hits] == ["image+question", "image"]
    place = {"source": "train.jsonl", "position": 0, "id": "train/0", "image": 0}
    assert hits[0]["train"] == place
    assert (hits[0]["is_exact"], hits[0]["distance"], hits[0]["correlation"]) == (True, 0, 1.0)
    shown = run(train, "--against", held_out)
    assert shown.returncode == 1 and "the first 2 of 2 hits" in shown.stdout


def test_a_place_that_takes_no_file_is_said_before_the_work(run, tmp_path):
    done = run("nowhere", "--against", "nowhere", "--out", str(tmp_path))
    said = f"packkit: {tmp_path} must be a file, but it is a folder; name another --out\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_question_alone_does_not(run, write, pictures):
    clean = run(
        write("train", ("What?", pictures[0])), "--against", write("eval", ("What?", pictures[1]))
    )
    assert (clean.returncode, clean.stderr) == (0, "")
    assert "of them in training" in clean.stdout


def test_options_are_for_their_side(run, write, pictures, tmp_path):
    write("train", ("What?", pictures[0]))
    data = tmp_path / "held"
    data.mkdir()
    (data / "a.png").write_bytes(pictures[0])
    (tmp_path / "held.csv").write_text("picture,asked,told\na.png,What,This\n")
    columns = "image=picture,question=asked,answer=told"
    options = ("--eval-layout", "vqa", "--eval-columns", columns, "--eval-data-root", data)
    done = run("train.jsonl", "--against", "held.csv", *options, "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["leaked_pairs"] == 1
    wrong = run("train.jsonl", "--against", "held.csv", *options[:-1], tmp_path)
    assert wrong.returncode == 2
    assert "no sample of the evaluation set can be read: missing_image 1" in wrong.stderr
