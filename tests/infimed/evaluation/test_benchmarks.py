"""The benchmarks: every record a question, from the layouts they are published in."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_folders import (
    files,
    mmmu_rows,
    omnimedvqa_records,
    picture,
    pmc_vqa_rows,
    vqa_rows,
    write_benchmark,
)

from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.benchmarks import BENCHMARKS, TITLES, read_benchmark
from packkit.infimed.evaluation.questions import Question

ONE_FILE = {
    "slake": "test.json",
    "pmc-vqa": "test_2.csv",
    "medxpertqa": "MM/test.jsonl",
    "vqa-rad": "data/test-00000-of-00001.parquet",
}


@pytest.fixture
def folder(tmp_path):
    """A function that writes a benchmark, and returns its folder."""
    return lambda name: write_benchmark(name, tmp_path / name)


def image_bytes(question):
    return [image if isinstance(image, bytes) else image.read() for image in question.images]


def kinds(questions):
    return Counter(question.kind for question in questions)


def change(path, edit):
    """Changes the records of a JSON file in place."""
    records = json.loads(path.read_text())
    edit(records)
    path.write_text(json.dumps(records))


def test_benchmarks_stand_in_the_order_of_the_table_of_the_paper():
    assert list(TITLES.values()) == [
        "MMMU", "VQA-RAD", "SLAKE", "PathVQA", "PMC-VQA", "OmniMedVQA", "MedXpertQA"
    ]  # fmt: skip
    assert tuple(TITLES) == BENCHMARKS


@pytest.mark.parametrize("name", BENCHMARKS)
def test_questions_are_the_same_wherever_the_folder_stands(name, tmp_path):
    first, second = (
        read_benchmark(name, write_benchmark(name, tmp_path / place / name)) for place in "ab"
    )
    assert list(map(Question.to_dict, first)) == list(map(Question.to_dict, second))
    assert list(map(image_bytes, first)) == list(map(image_bytes, second))
    assert len({question.key for question in first}) == len(first)
    for question in first:
        assert question.benchmark == name and question.images
        assert question.gold in question.options or question.kind != "choice"
        assert Question.from_dict(question.to_dict()).to_dict() == question.to_dict()


@pytest.mark.parametrize("name", ONE_FILE)
def test_the_file_of_questions_may_be_named_itself(name, folder):
    path = folder(name)
    assert read_benchmark(name, path / ONE_FILE[name]) == read_benchmark(name, path)


def test_slake(folder):
    questions = read_benchmark("slake", folder("slake"))
    assert kinds(questions) == {"open": 2, "closed": 2}
    assert [question.language for question in questions] == ["en", "en", "zh", "zh"]
    organ = questions[2]
    assert (organ.key, organ.text, organ.gold) == ("12995", "是什么器官？", "肺")
    assert organ.groups == {"language": "zh", "modality": "CT", "content_type": "Organ"}
    assert image_bytes(organ) == [picture(2, kind="JPEG")]


@pytest.mark.parametrize("name", ["vqa-rad", "path-vqa"])
def test_vqa_tables(name, folder):
    questions = read_benchmark(name, folder(name))
    assert kinds(questions) == {"yes_no": 2, "open": 3}
    # Two rows are the same, and are two questions all the same.
    assert [question.key for question in questions] == [f"0000{row}" for row in range(5)]
    assert (questions[0].gold, questions[0].kind) == ("Yes ", "yes_no")
    assert questions[4].kind == "open"


def test_images_of_tables_are_the_bytes_of_the_file_and_are_kept_once(folder):
    questions = read_benchmark("path-vqa", folder("path-vqa"))
    expected = [row["image"]["bytes"] for row in vqa_rows()]
    assert [question.images[0] for question in questions] == expected
    assert len({id(question.images[0]) for question in questions}) == 2


def test_pmc_vqa(folder):
    first, second = read_benchmark("pmc-vqa", folder("pmc-vqa"))
    assert (first.key, first.text, first.kind, first.gold) == ("00000", "Which?", "choice", "B")
    assert first.options == {"A": "CT", "B": "MRI", "C": "PET", "D": "US"}
    # The second choice has no text: the question stays, and so does its letter.
    assert second.options == {"A": "Lung", "B": "B:", "C": "A: B", "D": "x, y"}


def test_pmc_vqa_version_1(tmp_path):
    row = pmc_vqa_rows()[0]
    old = {key: value for key, value in row.items() if key not in ("index", "Caption", "split")}
    old |= {"Answer": "MRI", "Answer_label": "B"}
    files.write_pmc_vqa(tmp_path, [old], {row["Figure_path"]: picture()})
    (tmp_path / "figures").rename(tmp_path / "images")
    (tmp_path / "test_2.csv").rename(tmp_path / "test_clean.csv")
    (question,) = read_benchmark("pmc-vqa", tmp_path)
    assert (question.gold, question.options["B"]) == ("B", "MRI")


def test_omnimedvqa(folder):
    questions = read_benchmark("omnimedvqa", folder("omnimedvqa"))
    keys = ["ACRIMA/00000", "ACRIMA/00001", "Chest CT Scan/00000"]
    assert [question.key for question in questions] == keys
    assert [question.gold for question in questions] == ["D", "B", "C"]
    assert [list(question.options) for question in questions] == [
        ["A", "B", "C", "D"], ["A", "B"], ["A", "B", "C"]
    ]  # fmt: skip
    assert questions[0].groups == {
        "modality": "Fundus Photography", "question_type": "Modality Recognition"
    }  # fmt: skip
    assert image_bytes(questions[2]) == [picture()]


def test_omnimedvqa_has_a_record_that_names_its_modality_otherwise(folder):
    path = folder("omnimedvqa")
    file = path / "QA_information" / "Open-access" / "Chest CT Scan.json"
    change(file, lambda records: records[0].update(modality=records[0].pop("modality_type")))
    assert read_benchmark("omnimedvqa", path)[2].groups["modality"] == "CT"


def test_medxpertqa(folder):
    first, second = read_benchmark("medxpertqa", folder("medxpertqa"))
    assert (first.key, first.gold, len(first.images)) == ("MM-0", "E", 2)
    assert first.options["E"] == "None" and len(first.options) == 5
    assert first.text.startswith("Which disease?\nAnswer Choices: (A) Measles")
    assert second.groups == {
        "medical_task": "Diagnosis", "body_system": "Skin", "question_type": "Reasoning"
    }  # fmt: skip


def test_medxpertqa_as_parquet(folder):
    path = folder("medxpertqa")
    lines = (path / "MM" / "test.jsonl").read_text().splitlines()
    # The options of both parts of MedXpertQA in one column: five letters are null here.
    rows = [json.loads(line) for line in lines]
    rows[0]["options"]["F"] = None
    pq.write_table(pa.Table.from_pylist(rows), path / "MM" / "test.parquet")
    assert read_benchmark("medxpertqa", path / "MM" / "test.parquet") == read_benchmark(
        "medxpertqa", path
    )


def test_mmmu(folder):
    questions = read_benchmark("mmmu", folder("mmmu"))
    assert kinds(questions) == {"choice": 15, "open": 5}
    assert Counter(question.groups["subject"] for question in questions)["Pharmacy"] == 4
    first, named, chosen, asked = questions[:4]
    assert first.key == "validation_Basic_Medical_Science_1"
    assert first.options == {"A": "None", "B": "It's 5 mm"}
    # Only the images that are named, by their numbers; those named by options as well.
    assert named.images == (picture(0), picture(2))
    assert chosen.images == (picture(0), picture(1)) and chosen.options["B"] == "<image 2>"
    assert (asked.kind, asked.gold, asked.options) == ("open", "60", {})


def test_a_missing_image_is_named_with_its_record(folder):
    path = folder("slake")
    (path / "imgs" / "xmlab2" / "source.jpg").unlink()
    with pytest.raises(FormatError, match=r"test\.json: record 3: source\.jpg: No such file"):
        read_benchmark("slake", path)


def test_an_image_outside_the_folder_is_refused(folder):
    path = folder("slake")
    change(path / "test.json", lambda records: records[0].update(img_name="../../x.jpg"))
    with pytest.raises(FormatError, match=r"record 1: .*outside"):
        read_benchmark("slake", path)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"question": " "}, "no text in field question"),
        ({"answer": None}, "no text in field answer"),
        ({"answer": 2}, "field answer must hold text, got int"),
        ({"q_lang": "fr"}, "q_lang must be one of en, zh, got 'fr'"),
        ({"answer_type": "BOTH"}, "answer_type must be one of OPEN, CLOSED"),
        ({"qid": None}, "no text in field qid"),
        ({"qid": 11934}, "another question has the key '11934'"),
    ],
)
def test_a_record_that_asks_nothing_ends_the_reading(fields, message, folder):
    path = folder("slake")
    change(path / "test.json", lambda records: records[1].update(fields))
    with pytest.raises(FormatError, match=f"record 2: {message}"):
        read_benchmark("slake", path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[{", "not JSON"),
        ('{"qid": 1}', "must be an array of records, got dict"),
        ("[1]", "record 1: must be an object, got int"),
        ("[]", "holds no question of SLAKE"),
    ],
)
def test_a_file_of_something_else_is_refused(text, message, folder):
    path = folder("slake")
    (path / "test.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_benchmark("slake", path)


def test_a_gold_answer_that_is_no_option_is_refused(tmp_path):
    record = {**omnimedvqa_records()[0], "gt_answer": "fundus"}
    files.write_omnimedvqa(tmp_path, [record], {"ACRIMA/a.png": picture()})
    message = r"ACRIMA\.json: record 1: gt_answer must be the text of an option .*got 'fundus'"
    with pytest.raises(FormatError, match=message):
        read_benchmark("omnimedvqa", tmp_path)


def test_a_gold_letter_without_an_option_is_refused(tmp_path):
    rows = [{**pmc_vqa_rows()[0], "Answer": "E"}]
    files.write_pmc_vqa(tmp_path, rows, {})
    with pytest.raises(FormatError, match="record 1: Answer must be one of A, B, C, D, got 'E'"):
        read_benchmark("pmc-vqa", tmp_path)


def test_a_column_that_is_missing_is_named(tmp_path):
    row = pmc_vqa_rows()[0]
    del row["Choice D"]
    files.write_pmc_vqa(tmp_path, [row], {})
    with pytest.raises(FormatError, match="record 1: there is no column 'Choice D'"):
        read_benchmark("pmc-vqa", tmp_path)


def test_of_two_test_files_one_is_to_be_named(folder):
    path = folder("pmc-vqa")
    (path / "test.csv").write_bytes((path / "test_2.csv").read_bytes())
    with pytest.raises(InputError, match=r"holds test_2\.csv and test\.csv; name the file"):
        read_benchmark("pmc-vqa", path)
    assert len(read_benchmark("pmc-vqa", path / "test_2.csv")) == 2


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_empty_folder_is_no_benchmark(name, tmp_path):
    with pytest.raises(InputError, match="holds no"):
        read_benchmark(name, tmp_path)


def test_an_unknown_benchmark_is_refused(tmp_path):
    with pytest.raises(InputError, match="no benchmark 'vqa'; there are mmmu, vqa-rad"):
        read_benchmark("vqa", tmp_path)


def test_a_missing_subject_is_named(folder):
    path = folder("mmmu")
    (path / "Pharmacy").rename(path / "pharmacy-1")
    with pytest.raises(InputError, match="holds no folder Pharmacy"):
        read_benchmark("mmmu", path)


def test_a_missing_file_of_a_split_is_noticed(folder):
    path = folder("path-vqa")
    (path / "data" / "test-00001-of-00002.parquet").unlink()
    with pytest.raises(InputError, match="is one of 2 by its name"):
        read_benchmark("path-vqa", path)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"options": "['a', open('b')]"}, "options must be the text of a list of strings"),
        ({"options": "['a', 1]"}, "options must be the text of a list of strings"),
        ({"answer": "C"}, "answer must be one of A, B, got 'C'"),
        ({"question_type": "essay"}, "question_type must be one of multiple-choice, open"),
        ({"question": "<image 2> Which?"}, "column 'image_2' holds no bytes of an image"),
    ],
)
def test_a_row_that_asks_nothing_ends_the_reading(fields, message, folder):
    path, subject = folder("mmmu"), "Public_Health"
    rows = mmmu_rows(subject)
    rows[0].update(fields)
    files.write_mmmu(path, {subject: rows})
    with pytest.raises(FormatError, match=rf"{subject}/validation.*: record 1: {message}"):
        read_benchmark("mmmu", path)


def test_a_broken_parquet_file_is_named(folder):
    path = folder("vqa-rad")
    (path / "data" / "test-00000-of-00001.parquet").write_bytes(b"PAR1 PAR1")
    with pytest.raises(FormatError, match="not a readable Parquet file"):
        read_benchmark("vqa-rad", path)


def test_a_broken_row_of_a_csv_file_ends_the_reading(folder):
    path = folder("pmc-vqa")
    with open(path / "test_2.csv", "a") as file:
        file.write("64,too few\n")
    with pytest.raises(FormatError, match=r"test_2\.csv: record 3: line 4: 2 fields"):
        read_benchmark("pmc-vqa", path)


def test_json_lines_may_hold_line_ends_that_json_does_not_escape(folder):
    path = folder("medxpertqa")
    file = path / "MM" / "test.jsonl"
    file.write_text(file.read_text().replace("Which step?", "Which\u2028step?"))
    assert read_benchmark("medxpertqa", path)[1].text.startswith("Which\u2028step?")


def test_text_that_is_not_utf8_is_an_error_with_its_place(folder):
    path = folder("slake")
    file = path / "test.json"
    file.write_text(file.read_text().replace("?", "\\ud83d", 1))
    with pytest.raises(FormatError, match=r"test\.json: record 1: str is not valid UTF-8"):
        read_benchmark("slake", path)


def test_of_equal_options_the_last_is_gold(tmp_path):
    record = {**omnimedvqa_records()[0], "option_B": "Fundus"}
    record["option_C"] = record["gt_answer"] = "Fundus"
    record["option_D"] = "MRI"
    files.write_omnimedvqa(tmp_path, [record], {"ACRIMA/a.png": picture()})
    (question,) = read_benchmark("omnimedvqa", tmp_path)
    assert question.gold == "C"
