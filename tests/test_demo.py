"""The demo: real pictures, true texts, three layouts, seven benchmarks, always the same bytes."""

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections import Counter
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_rescale, apply_windowing

from packkit.infimed.evaluation.benchmarks import BENCHMARKS, read_benchmark
from packkit.samples import Sample

DEMO = Path(__file__).parents[1] / "examples" / "demo"

# Mean absolute difference, in grey levels of 255, of 64 x 64 thumbnails of two distinct pictures.
# Neighbouring frames of the cine loop differ by 1 to 2.
DISTINCT = 5.0

FOLDERS = {
    "nibabel": ("nibabel", ""),
    "pydicom": ("pydicom", "data/test_files"),
    "pydicom-data": ("data_store", "data"),
    "scikit-image": ("skimage", "data"),
    "wsidicom-data": ("wsidicom_data", "data"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-W", "error", str(DEMO / "build.py"), str(folder / "data")]
    command += ["--tokenizer", str(folder / "tokenizer.json")]
    command += ["--benchmarks", str(folder / "benchmarks")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder, done.stdout


@pytest.fixture(scope="module")
def data(built):
    return built[0] / "data"


@pytest.fixture(scope="module")
def questions(built):
    """Every question of the benchmarks."""
    folders = {name: built[0] / "benchmarks" / name for name in BENCHMARKS}
    return [one for name, path in folders.items() for one in read_benchmark(name, path)]


@pytest.fixture(scope="module")
def conversations(data):
    lines = (data / "vqa" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def captions(data):
    return pq.read_table(data / "captions.parquet").to_pylist()


@pytest.fixture(scope="module")
def members(data):
    """Every member of the tars, by key and extension."""
    found = {}
    for path in sorted((data / "webdataset").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
                key, _, extension = member.name.partition(".")
                record = found.setdefault(key, {})
                assert extension not in record
                record[extension] = tar.extractfile(member).read()
    return found


@pytest.fixture(scope="module")
def pixels(data):
    """The decoded pictures, by key."""
    return {path.stem: decode(path.read_bytes()) for path in (data / "vqa" / "images").iterdir()}


@pytest.fixture(scope="module")
def dicom():
    """A function from package/file to the dataset, which reads each file once."""
    read = {}

    def dataset(file):
        if file not in read:
            read[file] = pydicom.dcmread(locate(file))
        return read[file]

    return dataset


def locate(file):
    package, name = file.split("/", 1)
    module, folder = FOLDERS[package]
    return Path(find_spec(module).origin).parent / folder / name


def decode(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assistant_text(record):
    return " ".join(turn["content"] for turn in record["messages"] if turn["role"] == "assistant")


def stated_value(dataset, keyword):
    """Reads an attribute wherever it stands in the file, as plain Python values."""
    element = next(
        item for item in dataset.iterall() if item.keyword == keyword and item.value is not None
    )
    values = element.value if element.VM > 1 else [element.value]
    plain = [float(v) if isinstance(v, float | int) else str(v) for v in values if v != ""]
    return plain if element.VM > 1 else plain[0]


def thumbnail(array):
    grey = Image.fromarray(array).convert("L").resize((64, 64), Image.Resampling.BOX)
    return np.asarray(grey, dtype=float)


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


@pytest.mark.parametrize(
    "key, file",
    [
        ("op-retina", "scikit-image/retina.jpg"),
        ("op-microaneurysms", "scikit-image/microaneurysms.png"),
        ("sm-colon", "scikit-image/ihc.png"),
        ("sm-tile", "wsidicom-data/test_tile.png"),
        ("gm-cell", "scikit-image/cell.png"),
    ],
)
def test_image_files_are_kept_as_they_are(data, key, file):
    (path,) = (data / "vqa" / "images").glob(f"{key}.*")
    assert path.read_bytes() == locate(file).read_bytes()


@pytest.mark.parametrize(
    "key, file",
    [
        ("ct-693-brain", "pydicom-data/693_UNCR.dcm"),
        ("ct-head-brain", "pydicom/J2K_pixelrep_mismatch.dcm"),
        ("mr-abdomen", "pydicom-data/MR-SIEMENS-DICOM-WithOverlays.dcm"),
    ],
)
def test_stated_windows_are_applied_as_pydicom_applies_them(pixels, dicom, key, file):
    dataset = dicom(file)
    values = apply_rescale(dataset.pixel_array, dataset)
    windowed = apply_windowing(values, dataset).astype(float)
    # pydicom keeps the range of the values; in these files both ends of the window are reached.
    expected = (windowed - windowed.min()) / np.ptp(windowed) * 255
    assert (pixels[key].min(), pixels[key].max()) == (0, 255)
    np.testing.assert_allclose(pixels[key], expected, atol=1)


@pytest.mark.parametrize("name", ["chest", "extremity"])
def test_monochrome1_is_inverted(pixels, dicom, name):
    file = {"chest": "pydicom-data/RG1_UNCR.dcm", "extremity": "pydicom-data/RG3_UNCR.dcm"}[name]
    stored = dicom(file).pixel_array
    shown = pixels[f"cr-{name}"]
    assert np.corrcoef(stored[::8, ::8].ravel(), shown[::8, ::8].ravel())[0, 1] < -0.95


def test_palette_pixels_are_looked_up_and_cropped(pixels, dicom):
    dataset = dicom("pydicom-data/gdcm-US-ALOKA-16.dcm")
    expected = apply_color_lut(dataset.pixel_array, dataset)[24:416, 32:336] / 257
    # WebP is lossy.
    assert np.abs(pixels["us-left"].astype(float) - expected).mean() < 4


def test_colour_planes_are_interleaved(pixels, dicom):
    dataset = dicom("pydicom-data/color-pl.dcm")
    planes = np.frombuffer(dataset.PixelData, np.uint8).reshape(3, dataset.Rows, dataset.Columns)
    np.testing.assert_array_equal(pixels["us-tee"], planes.transpose(1, 2, 0))


def test_values_under_the_supplemental_palette_are_coloured(pixels, dicom):
    stored = dicom("pydicom-data/eCT_Supplemental.dcm").pixel_array[0]
    shown = pixels["ct-perfusion-0"].astype(int)
    is_grey = (shown[..., 0] == shown[..., 1]) & (shown[..., 1] == shown[..., 2])
    assert is_grey[stored < 1024].all()
    assert is_grey[stored >= 1024].mean() < 0.1


def test_slices_are_cut_and_turned_as_their_plane_says(pixels):
    volume = np.asarray(nibabel.load(locate("nibabel/tests/data/example4d.nii.gz")).dataobj)[..., 0]
    shown = pixels["mr-volume-axial-12"]
    # Row 0 is the most anterior, column 0 the first voxel of the axis that runs to the left.
    expected = np.clip(volume[:, ::-1, 12].T / 1161, 0, 1) * 255
    np.testing.assert_allclose(shown, expected, atol=1)
    assert pixels["mr-volume-coronal-49"].shape == (24, 128)
    assert pixels["mr-volume-sagittal-62"].shape == (24, 96)


def test_lengths_are_uneven(conversations, encoder):
    lengths = [
        encoder.length(Sample.from_dict(record, images=[b""] * len(record["images"])))
        for record in conversations
    ]
    assert min(lengths) < 60 and max(lengths) > 1200


def test_benchmarks_ask_every_kind_of_question(questions):
    counts = Counter(question.benchmark for question in questions)
    assert list(counts) == list(BENCHMARKS) and min(counts.values()) >= 20
    assert {question.kind for question in questions} == {"choice", "yes_no", "closed", "open"}
    assert {len(question.options) for question in questions} == {0, 2, 3, 4, 5}
    assert {len(question.images) for question in questions} == {1, 2, 3}
    in_chinese = Counter(question.kind for question in questions if question.language == "zh")
    assert min(in_chinese["open"], in_chinese["closed"]) >= 10
    letters = Counter(question.gold for question in questions if question.kind == "choice")
    assert sorted(letters) == list("ABCDE") and max(letters.values()) < letters.total() / 2


def test_answers_about_the_width_follow_from_the_picture(questions):
    checked = Counter()
    for question in questions:
        asked = re.search(
            r"(How many) pixels wide|is(?: picture)? (\d+) pixels wide|(多少)像素|宽度是(\d+)像素",
            question.text,
        )
        if not asked:
            continue
        images = [image if isinstance(image, bytes) else image.read() for image in question.images]
        widths = [decode(image).shape[1] for image in images]
        stated = asked[2] or asked[4]
        if question.kind == "choice" and stated:
            assert int(stated) == widths.pop("ABC".index(question.gold))
            assert int(stated) not in widths
        elif stated:
            assert (int(stated) in widths) == (question.gold in ("yes", "Yes", "是"))
        else:
            answer = question.options.get(question.gold, question.gold)
            assert int(answer) == widths[0]
        checked[question.benchmark] += 1
    assert len(checked) >= 6


def test_the_tokenizer_is_copied(built, qwen3_folder):
    copied = built[0] / "tokenizer.json"
    assert copied.read_bytes() == (qwen3_folder / "tokenizer.json").read_bytes()
