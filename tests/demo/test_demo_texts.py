"""What the texts of the demo state is true of the files that they are about."""

import json
import re

import numpy as np
from demo_reading import assistant_text, decode, stated_value


def test_what_a_conversation_states_stands_in_the_file(conversations, dicom):
    checked = 0
    for record in conversations:
        meta, text = record["meta"], assistant_text(record)
        for file, states in zip(meta["files"], meta["states"], strict=True):
            if not file.endswith(".dcm"):
                continue
            for keyword, value in states.items():
                assert stated_value(dicom(file), keyword) == value, (record["id"], keyword)
                parts = value if isinstance(value, list) else [value]
                for part in parts:
                    assert (part if isinstance(part, str) else f"{part:g}") in text or (
                        str(part) in text
                    ), (record["id"], keyword, value)
                checked += 1
    assert checked > 1000


def test_texts_agree_with_files_and_pictures_when_read_again(members, dicom):
    """Reads the numbers out of the sentences: nothing of the builder's own records is used."""
    checked = 0
    for record in members.values():
        source, text = json.loads(record["json"])["source"], record["txt"].decode()
        image = next(record[kind] for kind in ("png", "jpg", "webp") if kind in record)
        height, width = decode(image).shape[:2]
        assert f"{width} x {height} pixels" in text
        if not source.endswith(".dcm"):
            continue
        dataset = dicom(source)
        assert re.search(r"modality is (\w+)", text)[1] == dataset.Modality
        assert int(re.search(r"number of rows is (\d+)", text)[1]) == dataset.Rows
        assert int(re.search(r"number of columns is (\d+)", text)[1]) == dataset.Columns
        kind = re.search(r"photometric interpretation is ([\w ]+)\.", text)[1]
        assert kind == dataset.PhotometricInterpretation
        if frame := re.search(r"frame (\d+) of (\d+)", text):
            assert int(frame[2]) == dataset.NumberOfFrames
        checked += 1
    assert checked >= 25


def test_captions_state_the_size_of_their_picture(captions):
    for row in captions:
        height, width = decode(row["image"]["bytes"]).shape[:2]
        stated = re.search(r"(\d+) x (\d+) pixels|宽(\d+)像素，高(\d+)像素", row["caption"])
        assert [int(number) for number in stated.groups() if number] == [width, height]


def test_planes_follow_from_the_orientation(conversations, dicom):
    checked = 0
    for record in conversations:
        states = record["meta"]["states"]
        if not record["id"].endswith("/plane") or "ImageOrientationPatient" not in states[0]:
            continue
        plane = re.search(r"is (axial|coronal|sagittal|oblique)", assistant_text(record))[1]
        cosines = np.array(
            stated_value(dicom(record["meta"]["files"][0]), "ImageOrientationPatient")
        )
        normal = np.abs(np.cross(cosines[:3], cosines[3:]))
        angle = np.degrees(np.arccos(normal.max().clip(0, 1)))
        named = ("sagittal", "coronal", "axial")[normal.argmax()]
        assert plane == (named if angle < 26 else "oblique")
        checked += 1
    assert checked >= 10


def test_answers_about_the_order_of_two_pictures_follow_their_positions(conversations):
    answers = []
    for record in conversations:
        answer = assistant_text(record)
        match = re.match(r"The (\w+): they are (slices|frames) (\d+) and (\d+)", answer)
        if match:
            assert record["meta"]["positions"] == [int(match[3]) - 1, int(match[4]) - 1]
            assert match[1] == ("second" if int(match[4]) > int(match[3]) else "first")
            answers.append(match[1])
    assert answers.count("first") >= 5 and answers.count("second") >= 5


def test_no_text_names_a_patient_a_physician_or_a_hospital(conversations, captions, members, dicom):
    texts = [json.dumps(record, ensure_ascii=False) for record in conversations]
    texts += [row["caption"] for row in captions]
    texts += [(record["txt"] + record["json"]).decode() for record in members.values()]
    everything = "\n".join(texts)
    keywords = ("PatientName", "PatientID", "PatientAddress", "InstitutionName", "StudyDate")
    keywords += ("OperatorsName", "ReferringPhysicianName", "AccessionNumber", "StationName")
    files = {file for record in conversations for file in record["meta"]["files"]}
    values = {
        str(dicom(file).get(keyword, ""))
        for file in files
        if file.endswith(".dcm")
        for keyword in keywords
    }
    # Short ones occur in any text. One file gives a placeholder for every name that it held, and
    # one names its manufacturer as the institution.
    identifying = {value for value in values if len(value) > 3} - {"Anonymous", "TOSHIBA"}
    assert len(identifying) > 20
    assert not [value for value in identifying if value in everything]
