"""The demo: real pictures, three layouts, always the same bytes."""

import json
import re
import subprocess
import sys
from itertools import combinations

import numpy as np
import pyarrow.parquet as pq
from demo_reading import DEMO, DISTINCT, assistant_text, decode, digests, locate, thumbnail

from packkit.samples import Sample


def test_two_builds_give_the_same_bytes(built, tmp_path):
    command = [sys.executable, str(DEMO / "build.py"), str(tmp_path / "data")]
    command += ["--benchmarks", str(tmp_path / "benchmarks")]
    subprocess.run(command, capture_output=True, check=True)
    for name in ("data", "benchmarks"):
        assert digests(tmp_path / name) == digests(built[0] / name)


def test_summary_counts_what_was_written(
    built, conversations, captions, members, pixels, questions
):
    line, benchmarks = built[1].splitlines()
    assert benchmarks.startswith(f"{len(questions)} questions of seven benchmarks in ")
    total = len(conversations) + len(captions) + len(members)
    assert line.startswith(f"{len(pixels)} pictures (")
    assert f"{total} samples ({len(conversations)} conversations, " in line


def test_at_least_40_pictures_are_distinct(pixels):
    thumbnails = {key: thumbnail(array) for key, array in pixels.items()}
    differences = {
        (first, second): np.abs(thumbnails[first] - thumbnails[second]).mean()
        for first, second in combinations(sorted(thumbnails), 2)
    }
    closest = min(differences, key=differences.__getitem__)
    assert differences[closest] > DISTINCT, closest
    # The same slice through another window is a picture of its own here, but not one of the 40.
    assert len([key for key in pixels if not key.endswith("-bone") or key == "nm-bone"]) >= 40


def test_every_modality_is_there(members):
    found = {json.loads(record["json"])["modality"] for record in members.values()}
    assert found >= {"CT", "MR", "CR", "US", "NM", "SM", "OP"}


def test_image_files_come_in_three_formats(data):
    suffixes = {path.suffix for path in (data / "vqa" / "images").iterdir()}
    assert suffixes == {".png", ".jpg", ".webp"}


def test_conversations_are_canonical(data, conversations):
    images = {f"images/{path.name}" for path in (data / "vqa" / "images").iterdir()}
    for record in conversations:
        paths = [image["path"] for image in record["images"]]
        assert images.issuperset(paths)
        sample = Sample.from_dict(
            record, images=[(data / "vqa" / path).read_bytes() for path in paths]
        )
        assert sample.image_count == len(paths)
        roles = [message.role for message in sample.messages]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == ["user", "assistant"] * (len(turns) // 2)
        assert 1 <= len(turns) // 2 <= 4
        assert all(text.strip() for text in sample.texts)
        assert record["meta"]["source"] and record["meta"]["modality"]
    assert {len(record["images"]) for record in conversations} == {0, 1, 2}
    assert len({record["id"] for record in conversations}) == len(conversations) >= 400


def test_some_conversations_have_a_system_turn_and_some_are_chinese(conversations):
    first_roles = [record["messages"][0]["role"] for record in conversations]
    assert first_roles.count("system") >= 40
    chinese = [record for record in conversations if re.search("[一-鿿]", assistant_text(record))]
    assert len(chinese) >= 20


def test_parquet_holds_image_bytes_and_captions(captions, data):
    schema = pq.read_schema(data / "captions.parquet")
    assert schema.names == ["image", "caption", "id", "source"]
    assert str(schema.field("image").type) == "struct<bytes: binary, path: string>"
    for row in captions:
        path = data / "vqa" / "images" / row["image"]["path"]
        assert row["image"]["bytes"] == path.read_bytes()
        assert locate(row["source"]).is_file()
    assert len({row["caption"] for row in captions}) == len(captions)


def test_tars_hold_an_image_a_text_and_a_json_for_each_key(members, data):
    assert len(list((data / "webdataset").iterdir())) == 2
    for key, record in members.items():
        assert {"txt", "json"} < record.keys() and len(record) == 3, key
        meta = json.loads(record["json"])
        (extension,) = record.keys() - {"txt", "json"}
        height, width = decode(record[extension]).shape[:2]
        assert (meta["width"], meta["height"]) == (width, height)


def test_lengths_are_uneven(conversations, encoder):
    lengths = [
        encoder.length(Sample.from_dict(record, images=[b""] * len(record["images"])))
        for record in conversations
    ]
    assert min(lengths) < 60 and max(lengths) > 1200


def test_the_tokenizer_is_copied(built, qwen3_folder):
    copied = built[0] / "tokenizer.json"
    assert copied.read_bytes() == (qwen3_folder / "tokenizer.json").read_bytes()
