"""Writes benchmarks in the layouts they are published in: their records, and their files.

The questions themselves come from elsewhere, for the demo from benchmarks.py. An image is named by
the file it is written to, and given by its bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "Images",
    "Record",
    "medxpertqa_record",
    "mmmu_row",
    "omnimedvqa_record",
    "pmc_vqa_row",
    "slake_record",
    "vqa_row",
    "write_medxpertqa",
    "write_mmmu",
    "write_omnimedvqa",
    "write_pmc_vqa",
    "write_slake",
    "write_vqa",
]

Record = dict[str, Any]
Images = Mapping[str, bytes]
"""Name of a file -> the encoded image."""

_LETTERS = "ABCDEFGHI"
_MMMU_IMAGES = 7

_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_VQA = pa.schema({"image": _IMAGE, "question": pa.string(), "answer": pa.string()})
_MMMU = pa.schema(
    {
        **dict.fromkeys(("id", "question", "options", "explanation"), pa.string()),
        **{f"image_{number}": _IMAGE for number in range(1, _MMMU_IMAGES + 1)},
        **dict.fromkeys(
            ("img_type", "answer", "topic_difficulty", "question_type", "subfield"), pa.string()
        ),
    }
)


def slake_record(
    qid: int,
    image: str,
    question: str,
    answer: str,
    *,
    answer_type: str = "OPEN",
    q_lang: str = "en",
    modality: str = "CT",
    content_type: str = "Modality",
    location: str = "",
) -> Record:
    return {
        "img_id": int("".join(filter(str.isdigit, image.split("/")[0]))),
        "img_name": image,
        "question": question,
        "answer": answer,
        "q_lang": q_lang,
        "location": location,
        "modality": modality,
        "answer_type": answer_type,
        "base_type": "vqa",
        "content_type": content_type,
        "triple": ["vhead", "_", "_"],
        "qid": qid,
    }


def write_slake(
    folder: Path, records: Sequence[Record], images: Images, *, split: str = "test"
) -> None:
    """Writes ``test.json``, or the file of another split, and the images to ``imgs/``."""
    _write_images(folder / "imgs", images)
    _write_json(folder / f"{split}.json", records)


def vqa_row(image: bytes, question: str, answer: str) -> Record:
    return {"image": {"bytes": image, "path": None}, "question": question, "answer": answer}


def write_vqa(
    folder: Path, rows: Sequence[Record], *, shards: int = 1, split: str = "test"
) -> None:
    """Writes a split of VQA-RAD or PathVQA to files of ``data/``."""
    size = -(-len(rows) // shards)
    for number in range(shards):
        path = folder / "data" / f"{split}-{number:05}-of-{shards:05}.parquet"
        _write_parquet(path, rows[number * size : (number + 1) * size], _VQA)


def pmc_vqa_row(
    index: int,
    figure: str,
    caption: str,
    question: str,
    choices: Sequence[str],
    answer: str,
    *,
    split: str = "test",
) -> Record:
    cells = zip(_LETTERS, choices, strict=False)
    return {
        "index": index,
        "Figure_path": figure,
        "Caption": caption,
        "Question": f" {question} ",
        **{f"Choice {letter}": f" {letter}: {choice} " for letter, choice in cells},
        "Answer": answer,
        "split": split,
    }


def write_pmc_vqa(
    folder: Path, rows: Sequence[Record], images: Images, *, split: str = "test"
) -> None:
    """Writes ``test_2.csv``, or the file of another split, and the images to ``figures/``."""
    _write_images(folder / "figures", images)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write(folder / f"{split}_2.csv", text.getvalue().encode())


def omnimedvqa_record(
    dataset: str,
    number: int,
    image: str,
    question: str,
    options: Sequence[str],
    answer: str,
    *,
    question_type: str = "Modality Recognition",
    modality_type: str = "CT",
) -> Record:
    return {
        "dataset": dataset,
        "question_id": f"{dataset}_{number:04}",
        "question_type": question_type,
        "question": question,
        "gt_answer": answer,
        "image_path": f"Images/{image}",
        **{f"option_{letter}": option for letter, option in zip(_LETTERS, options, strict=False)},
        "modality_type": modality_type,
    }


def write_omnimedvqa(folder: Path, records: Sequence[Record], images: Images) -> None:
    """Writes a file of records for each data set, and the images to ``Images/``."""
    _write_images(folder / "Images", images)
    for dataset in dict.fromkeys(record["dataset"] for record in records):
        path = folder / "QA_information" / "Open-access" / f"{dataset}.json"
        _write_json(path, [record for record in records if record["dataset"] == dataset])


def medxpertqa_record(
    number: int,
    images: Sequence[str],
    question: str,
    options: Sequence[str],
    label: str,
    *,
    medical_task: str = "Diagnosis",
    body_system: str = "Nervous",
    question_type: str = "Reasoning",
) -> Record:
    lettered = dict(zip(_LETTERS, options, strict=False))
    choices = " ".join(f"({letter}) {option}" for letter, option in lettered.items())
    return {
        "id": f"MM-{number}",
        "question": f"{question}\nAnswer Choices: {choices}",
        "options": lettered,
        "label": label,
        "images": list(images),
        "medical_task": medical_task,
        "body_system": body_system,
        "question_type": question_type,
    }


def write_medxpertqa(folder: Path, records: Sequence[Record], images: Images) -> None:
    """Writes ``MM/test.jsonl``, and the images to ``images/``."""
    _write_images(folder / "images", images)
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    _write(folder / "MM" / "test.jsonl", "\n".join([*lines, ""]).encode())


def mmmu_row(
    subject: str,
    number: int,
    images: Sequence[bytes],
    question: str,
    answer: str,
    options: Sequence[str] = (),
) -> Record:
    """Makes a row: multiple choice where there are options, else open."""
    columns = {f"image_{n}": {"bytes": data, "path": None} for n, data in enumerate(images, 1)}
    return {
        "id": f"validation_{subject}_{number}",
        "question": question,
        "options": repr(list(options)),
        "explanation": "",
        **columns,
        "img_type": "['Medical Images']",
        "answer": answer,
        "topic_difficulty": "Easy",
        "question_type": "multiple-choice" if options else "open",
        "subfield": subject.replace("_", " "),
    }


def write_mmmu(folder: Path, subjects: Mapping[str, Sequence[Record]]) -> None:
    """Writes the validation split of every subject to a folder of its name."""
    for subject, rows in subjects.items():
        _write_parquet(folder / subject / "validation-00000-of-00001.parquet", rows, _MMMU)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_images(folder: Path, images: Images) -> None:
    for name, data in images.items():
        _write(folder / name, data)


def _write_json(path: Path, records: Sequence[Record]) -> None:
    _write(path, json.dumps(records, ensure_ascii=False, indent=2).encode())


def _write_parquet(path: Path, rows: Sequence[Record], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
