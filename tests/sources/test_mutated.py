"""Files of every container, damaged at random: a run packs, rejects or refuses, and counts.

`PACKKIT_FUZZ_SECONDS=300` attacks each kind of file for so long; without it a few rounds are made.
"""

import csv
import gzip
import io
import json
import os
import random
import resource
import shutil
import tarfile
import time
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from packkit.base.errors import PackkitError
from packkit.packing import PackConfig, pack
from packkit.samples import Pack, Sample
from packkit.shards import verify_packs

SECONDS = float(os.environ.get("PACKKIT_FUZZ_SECONDS", "0"))
ROUNDS = 5
MEMORY_BYTES = 2 << 30
ROUND_SECONDS = 30
COUNT = 12

TOKENS = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r", b"\0", b"\xff", b"|", b"-"),
    *(b"},{", b"null", b"1e999", b"99999999999999999999", b"NaN", b"\xed\xa0\x80", bytes(600)),
    *(b"[" * 300, b'{"a":' * 300, b"\x80" + b"\xff" * 11, b"77777777777", b'"token_limit":-1,'),
]


def picture(number):
    buffer = io.BytesIO()
    Image.new("RGB", (8 + number, 6), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def record(number):
    text = f'Slice {number}, "lung" window.'
    return {"id": str(number), "content": text, "meta": {"n": [number, {"a": None}], "t": "{}"}}


def lines(records):
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def table(records):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "content"])
    writer.writerows([item["id"], item["content"] + "\nmore"] for item in records)
    return text.getvalue().encode()


def parquet(records):
    buffer = io.BytesIO()
    columns = {
        "id": [item["id"] for item in records],
        "content": [item["content"] for item in records],
        "date": pa.array(range(COUNT), pa.int32()).cast(pa.date32()),
        "time": pa.array(range(COUNT), pa.timestamp("ns", "UTC")),
        "list": [[{"x": 1.5}]] * COUNT,
    }
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def tar(records, layout=tarfile.PAX_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for number, item in enumerate(records):
            members = {"png": picture(number), "txt": item["content"].encode()}
            for ending, data in members.items():
                info = tarfile.TarInfo(f"{'folder/' * 20}{number:03}.{ending}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def packs(records):
    samples = [Sample.from_dict(item) for item in records]
    groups = [Pack(tuple(samples[n : n + 3]), (5, 5, 5)) for n in range(0, COUNT, 3)]
    return lines(group.to_dict() for group in groups)


RECORDS = [record(number) for number in range(COUNT)]
VQA = {"layout": "vqa", "columns": {"image": "image_id"}}
FILES = {
    "a.jsonl": (lines(RECORDS), {"layout": "packkit"}),
    "a.json": (json.dumps(RECORDS, indent=1).encode(), {"layout": "packkit"}),
    "splits.json": (json.dumps({"train": RECORDS, "val": RECORDS}).encode(), {"layout": "packkit"}),
    "object.json": (json.dumps(RECORDS[0]).encode(), {"layout": "packkit"}),
    "packs.jsonl": (packs(RECORDS), {"layout": "packkit"}),
    "a.csv": (table(RECORDS), {"layout": "packkit"}),
    "a.parquet": (parquet(RECORDS), {"layout": "packkit"}),
    "a.tar": (tar(RECORDS), {"layout": "webdataset"}),
    "gnu.tar": (tar(RECORDS, tarfile.GNU_FORMAT), {}),
    "a.txt": ("".join(f"p.png|What {n}?|It {n}\n" for n in range(COUNT)).encode(), VQA),
    "a.jsonl.gz": (gzip.compress(lines(RECORDS), mtime=0), {"layout": "packkit"}),
    "auto.jsonl": (lines(RECORDS), {}),
}


def mutated(data, draw):
    """The bytes with a few changes."""
    for _ in range(draw.choice([1, 1, 2, 5])):
        place = draw.randrange(len(data) + 1)
        end = min(len(data), place + draw.choice([1, 1, 4, 100, 2000]))
        token = draw.choice(TOKENS)
        part = data[place:end]
        data = draw.choice(
            [
                data[:place] + token + data[place:],
                data[:place] + token + data[place + len(token) :],
                data[:place] + data[end:],
                data[:end] + part + data[end:],
                data[:place] + bytes(len(part)) + data[end:],
                data[:place] + bytes(byte ^ (1 << draw.randrange(8)) for byte in part) + data[end:],
                data[:place],
                data + data,
            ]
        )
    return data


@contextmanager
def memory_limit(growth):
    """Lets this process grow by so many bytes, and no further."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + growth, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def attack(folder, encoder, name, number):
    """Packs one damaged file; returns whether it was refused."""
    data, options = FILES[name]
    inputs, out = folder / "in", folder / "out"
    inputs.mkdir(exist_ok=True)
    (inputs / "p.png").write_bytes(picture(1))
    path = inputs / name
    path.write_bytes(mutated(data, random.Random(f"{name} {number}")))
    config = PackConfig(workers=1, max_len=256, max_reject_rate=1, allow_truncated=True, **options)
    started = time.monotonic()
    try:
        report = pack(path, out / str(number), config, encoder=encoder)
    except PackkitError as error:
        # Whatever is refused is named.
        assert path.name in str(error)
        return True
    finally:
        assert time.monotonic() - started < ROUND_SECONDS
    assert report.samples_read == report.samples_packed + report.samples_rejected
    assert report.samples_rejected == sum(report.rejects.values())
    assert not verify_packs(out / str(number)).problems
    shutil.rmtree(out / str(number))
    return False


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_packed_rejected_or_refused(tmp_path, small_encoder, name):
    stop = time.monotonic() + SECONDS
    number = refused = 0
    with memory_limit(MEMORY_BYTES):
        while number < ROUNDS or time.monotonic() < stop:
            refused += attack(tmp_path, small_encoder, name, number)
            number += 1
    print(f"{name}: {number} files, {refused} refused")


@pytest.mark.parametrize("name", FILES)
def test_what_is_attacked_is_whole(tmp_path, small_encoder, name):
    data, options = FILES[name]
    (tmp_path / "p.png").write_bytes(picture(1))
    path = tmp_path / name
    path.write_bytes(data)
    config = PackConfig(workers=1, max_len=256, **options)
    report = pack(path, tmp_path / "out", config, encoder=small_encoder)
    counts = {"splits.json": 2 * COUNT, "object.json": 1}
    assert report.samples_packed == report.samples_read == counts.get(name, COUNT)
