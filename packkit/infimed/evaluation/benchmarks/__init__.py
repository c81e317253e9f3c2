"""The seven benchmarks, read from local copies in the layouts they are published in.

Each benchmark has a file here, or shares one with a benchmark of the same schema. Every record is a
question: a record that makes none is an error, since leaving it out would change the benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from packkit.base.errors import FormatError, InputError, SampleError
from packkit.images import ImageRef
from packkit.infimed.evaluation.benchmarks.base import Benchmark
from packkit.infimed.evaluation.benchmarks.medxpertqa import MedXpertQa
from packkit.infimed.evaluation.benchmarks.mmmu import Mmmu
from packkit.infimed.evaluation.benchmarks.omnimedvqa import OmniMedVqa
from packkit.infimed.evaluation.benchmarks.pmc_vqa import PmcVqa
from packkit.infimed.evaluation.benchmarks.slake import Slake
from packkit.infimed.evaluation.benchmarks.vqa_tables import PathVqa, VqaRad
from packkit.infimed.evaluation.questions import Question

__all__ = ["BENCHMARKS", "TITLES", "Benchmark", "find_benchmark", "read_benchmark"]

_READERS: tuple[type[Benchmark], ...] = (
    Mmmu,
    VqaRad,
    Slake,
    PathVqa,
    PmcVqa,
    OmniMedVqa,
    MedXpertQa,
)

TITLES: Mapping[str, str] = {reader.name: reader.title for reader in _READERS}
"""Name of a benchmark -> its title in tables, in the order of their columns."""

BENCHMARKS = tuple(TITLES)
"""The names of the benchmarks, in the same order."""


def find_benchmark(name: str, path: Path) -> Benchmark:
    """Finds the files of a benchmark, and reads none of them.

    Args:
        name: Name of the benchmark, one of `BENCHMARKS`.
        path: Folder that the benchmark was downloaded to, or its file of questions.

    Raises:
        InputError: There is no such benchmark, or `path` does not hold its files.
    """
    if name not in TITLES:
        raise InputError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return _READERS[BENCHMARKS.index(name)](path)


def read_benchmark(name: str, path: Path) -> list[Question]:
    """Reads every question of a benchmark.

    Images in files are given by reference, once it is certain that the files exist. Images in
    Parquet files are given as bytes, which all questions about an image share.

    Args:
        name: Name of the benchmark, one of `BENCHMARKS`.
        path: Folder that the benchmark was downloaded to, or its file of questions.

    Raises:
        InputError: There is no such benchmark, or `path` does not hold its files.
        FormatError: A record makes no question, or two questions have the same key.
    """
    benchmark = find_benchmark(name, path)
    questions: dict[str, Question] = {}
    images: dict[bytes | ImageRef, bytes | ImageRef] = {}
    for record in benchmark.records():
        try:
            question = _sharing_images(benchmark.question(record), images)
        except SampleError as error:
            raise FormatError(record.place, error.detail) from None
        try:
            orjson.dumps(question.to_dict())
        except TypeError as error:
            raise FormatError(record.place, str(error)) from None
        if question.key in questions:
            raise FormatError(record.place, f"another question has the key {question.key!r}")
        questions[question.key] = question
    if not questions:
        raise FormatError(path, f"holds no question of {TITLES[name]}")
    return list(questions.values())


def _sharing_images(question: Question, seen: dict[bytes | ImageRef, bytes | ImageRef]) -> Question:
    """Returns the question with each image replaced by the equal one in `seen`, if there is one.

    Raises:
        SampleError: An image is missing.
    """
    for image in question.images:
        if image not in seen and not isinstance(image, bytes):
            image.peek(1)
    images = tuple(seen.setdefault(image, image) for image in question.images)
    return replace(question, images=images)
