"""Small versions of the benchmarks that packkit evaluates: their layouts, the demo's pictures.

Questions ask for what the files state, and nothing else. There are all kinds of them: yes or no, a
word, a number, two to five options, one picture or several, English and Chinese. VQA-RAD, SLAKE and
PMC-VQA have a train split of other pictures, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from attributes import MODALITIES
from benchmark_files import (
    Record,
    medxpertqa_record,
    mmmu_row,
    omnimedvqa_record,
    pmc_vqa_row,
    slake_record,
    vqa_row,
    write_medxpertqa,
    write_mmmu,
    write_omnimedvqa,
    write_pmc_vqa,
    write_slake,
    write_vqa,
)
from captions import caption
from facts import Fact, facts, facts_in_chinese, yes_no
from pictures import Picture

__all__ = ["write_benchmarks", "write_train_splits"]

_RADIOLOGY = {"CT", "MR", "CR", "US", "NM"}
_EVERY = 3

# SLAKE numbers its images over all splits.
_FIRST_IMAGE = {"test": 0, "train": 100}

_SUBJECTS = (
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
)

_QUESTION_TYPES = {"Modality": "Modality Recognition", "Organ": "Anatomy Identification"}
_OTHER_TYPE = "Other Biological Attributes"

_WHICH = ("The first only", "The second only", "Both", "Neither", "The file does not tell")


def write_benchmarks(pictures: Sequence[Picture], folder: Path) -> int:
    """Writes every benchmark to a folder of its name; returns the number of questions."""
    radiology = [picture for picture in pictures if picture.modality in _RADIOLOGY]
    others = [picture for picture in pictures if picture.modality not in _RADIOLOGY]
    return sum(
        [
            _write_mmmu(pictures, folder / "mmmu"),
            _write_vqa(radiology[::_EVERY], folder / "vqa-rad", shards=1),
            _write_slake(radiology[1::_EVERY], folder / "slake"),
            _write_vqa(others, folder / "path-vqa", shards=3),
            _write_pmc_vqa(pictures[::2], folder / "pmc-vqa"),
            _write_omnimedvqa(pictures[1::2], folder / "omnimedvqa"),
            _write_medxpertqa(pictures, folder / "medxpertqa"),
        ]
    )


def write_train_splits(pictures: Sequence[Picture], folder: Path) -> int:
    """Writes train splits of three benchmarks; returns the number of questions."""
    radiology = [picture for picture in pictures if picture.modality in _RADIOLOGY]
    return sum(
        [
            _write_vqa(radiology[1::_EVERY], folder / "vqa-rad", shards=1, split="train"),
            _write_slake(radiology[::_EVERY], folder / "slake", split="train"),
            _write_pmc_vqa(pictures[1::2], folder / "pmc-vqa", split="train"),
        ]
    )


def _write_vqa(
    pictures: Sequence[Picture], folder: Path, *, shards: int, split: str = "test"
) -> int:
    """Asks two questions about every fact of every picture: whether it is true, and what it is."""
    rows = []
    for number, picture in enumerate(pictures):
        for turn, fact in enumerate(facts(picture)):
            rows.append(vqa_row(picture.data, *yes_no(fact, (number + turn) % 2 == 0)))
            rows.append(vqa_row(picture.data, fact.question, fact.answer.lower()))
    write_vqa(folder, rows, shards=shards, split=split)
    return len(rows)


def _write_slake(pictures: Sequence[Picture], folder: Path, split: str = "test") -> int:
    first = _FIRST_IMAGE[split]
    names = [
        f"xmlab{number}/source.{picture.suffix}" for number, picture in enumerate(pictures, first)
    ]
    records: list[Record] = []
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        for fact, language, answer_type, question, answer in _slake_questions(picture, number):
            record = slake_record(
                len(records),
                name,
                question,
                answer,
                answer_type=answer_type,
                q_lang=language,
                modality=picture.modality,
                content_type=fact.topic,
                location=str(picture.tags.get("BodyPartExamined", "")),
            )
            records.append(record)
    images = zip(names, (picture.data for picture in pictures), strict=True)
    write_slake(folder, records, dict(images), split=split)
    return len(records)


def _slake_questions(picture: Picture, number: int) -> Iterator[tuple[Fact, str, str, str, str]]:
    """Yields fact, language, type of answer, question and answer."""
    languages = {
        "en": (list(facts(picture)), ("Yes", "No")),
        "zh": (list(facts_in_chinese(picture)), ("是", "否")),
    }
    for language, (known, answers) in languages.items():
        yield known[0], language, "OPEN", known[0].question, known[0].answer
        for turn, fact in enumerate(known[1:]):
            question, answer = yes_no(fact, (number + turn) % 2 == 0, answers)
            yield fact, language, "CLOSED", question, answer
    # Not every closed question of SLAKE is to be answered with yes or no.
    colour = languages["en"][0][-1]
    yield colour, "en", "CLOSED", colour.question, colour.answer


def _write_pmc_vqa(pictures: Sequence[Picture], folder: Path, split: str = "test") -> int:
    rows = []
    for number, picture in enumerate(pictures):
        known = [fact for fact in facts(picture) if len(fact.others) >= 3]
        fact = known[number % len(known)]
        texts, letter = fact.options(number, 4)
        figure, text = _name(picture), caption(picture)
        row = pmc_vqa_row(number, figure, text, fact.question, texts, letter, split=split)
        rows.append(row)
    write_pmc_vqa(folder, rows, _named(pictures), split=split)
    return len(rows)


def _write_omnimedvqa(pictures: Sequence[Picture], folder: Path) -> int:
    records: list[Record] = []
    images = {}
    for number, picture in enumerate(pictures):
        dataset = picture.file.partition("/")[0]
        image = f"{dataset}/{_name(picture)}"
        images[image] = picture.data
        for fact in list(facts(picture))[number % 2 :: 2]:
            texts, _ = fact.options(number, 2 + number % 3)
            record = omnimedvqa_record(
                dataset,
                len(records),
                image,
                fact.question,
                texts,
                fact.answer,
                question_type=_QUESTION_TYPES.get(fact.topic, _OTHER_TYPE),
                modality_type=MODALITIES[picture.modality].image,
            )
            records.append(record)
    write_omnimedvqa(folder, records, images)
    return len(records)


def _write_medxpertqa(pictures: Sequence[Picture], folder: Path) -> int:
    """Asks about one picture and about two, in turn."""
    chosen = pictures[::2]
    records = []
    for number, (picture, second) in enumerate(zip(chosen, _turned(chosen, 7), strict=True)):
        if number % 2:
            texts, letter = next(facts(picture)).options(number, 5)
            question, shown = next(facts(picture)).question, [_name(picture)]
        else:
            question, letter = _find_modality(picture, second, number)
            texts, shown = list(_WHICH), [_name(picture), _name(second)]
        record = medxpertqa_record(
            number,
            shown,
            question,
            texts,
            letter,
            medical_task="Basic Medicine",
            body_system=str(picture.tags.get("BodyPartExamined", "Other / NA")),
            question_type="Understanding" if number % 2 else "Reasoning",
        )
        records.append(record)
    write_medxpertqa(folder, records, _named(chosen))
    return len(records)


def _find_modality(first: Picture, second: Picture, number: int) -> tuple[str, str]:
    """Asks which of two pictures has a modality; returns question and letter among `_WHICH`."""
    term = (first.modality, second.modality, "GM")[number // 2 % 3]
    matches = first.modality == term, second.modality == term
    letters = {(True, False): "A", (False, True): "B", (True, True): "C", (False, False): "D"}
    return f"Two pictures are shown. Which of them is of the modality {term}?", letters[matches]


def _write_mmmu(pictures: Sequence[Picture], folder: Path) -> int:
    """Writes six questions of every subject."""
    subjects = {
        subject: [
            _mmmu_row(subject, number, _turned(pictures, 9 * place + number))
            for number in range(1, 7)
        ]
        for place, subject in enumerate(_SUBJECTS)
    }
    write_mmmu(folder, subjects)
    return sum(map(len, subjects.values()))


def _mmmu_row(subject: str, number: int, pictures: Sequence[Picture]) -> Record:
    """Asks about the first picture: with options, among others, and without options, in turn."""
    first = pictures[0]
    modality, width = (
        next(fact for fact in facts(first) if fact.topic == topic) for topic in ("Modality", "Size")
    )
    if number % 3 == 0:
        return mmmu_row(subject, number, [first.data], f"<image 1> {width.question}", width.answer)
    if number % 3 == 1:
        texts, letter = modality.options(number, 2 + number % 4)
        question = f"<image 1> {modality.question}"
        return mmmu_row(subject, number, [first.data], question, letter, texts)
    shown = [picture for picture in pictures if picture.size[0] != first.size[0]][:2]
    place = len(subject) % 3
    shown.insert(place, first)
    question = f"Which of the pictures is {width.answer} pixels wide?"
    options = [f"<image {n}>" for n in range(1, len(shown) + 1)]
    images = [picture.data for picture in shown]
    return mmmu_row(subject, number, images, question, "ABC"[place], options)


def _turned(pictures: Sequence[Picture], shift: int) -> list[Picture]:
    shift %= len(pictures)
    return [*pictures[shift:], *pictures[:shift]]


def _name(picture: Picture) -> str:
    return f"{picture.key}.{picture.suffix}"


def _named(pictures: Sequence[Picture]) -> dict[str, bytes]:
    return {_name(picture): picture.data for picture in pictures}
