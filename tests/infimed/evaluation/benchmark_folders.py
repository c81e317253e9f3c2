"""Small copies of the seven benchmarks, in the layouts they are published in.

The layouts are those of the demo's benchmarks; the questions and the pictures are not.
"""

import importlib.util
import io
from pathlib import Path

from PIL import Image

_DEMO = Path(__file__).parents[3] / "examples" / "demo"


def _load(name):
    """Loads a file of the demo, whose folder is not on the path: it has a build.py."""
    spec = importlib.util.spec_from_file_location(name, _DEMO / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


files = _load("benchmark_files")


def picture(number=0, mode="RGB", kind="PNG"):
    """An encoded picture, another for every number."""
    buffer = io.BytesIO()
    Image.new(mode, (8 + number, 6)).save(buffer, kind)
    return buffer.getvalue()


SUBJECTS = (
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
)


def mmmu_rows(subject):
    """Four rows: choices, two images of three, images in the options, and an open question."""
    images = [picture(number) for number in range(3)]
    return [
        files.mmmu_row(subject, 1, images[:1], "<image 1> Which?", "B", ["None", "It's 5 mm"]),
        files.mmmu_row(subject, 2, images, "<image 3> after <image 1>?", "A", ["Yes", "No"]),
        files.mmmu_row(subject, 3, images[:2], "Which?", "B", ["<image 1>", "<image 2>"]),
        files.mmmu_row(subject, 4, images[:1], "<image 1> How many mm?", "60"),
    ]


def vqa_rows():
    """Rows as VQA-RAD and PathVQA have them: three of one image, two of them the same."""
    cmyk = picture(0, "CMYK", "JPEG")
    return [
        files.vqa_row(picture(1), "is this an mri?", "Yes "),
        files.vqa_row(picture(1), "what is shown?", "the left lung"),
        files.vqa_row(picture(1), "what is shown?", "the left lung"),
        files.vqa_row(cmyk, "is there a fracture?", "no"),
        files.vqa_row(cmyk, "where?", "no, in the ribs"),
    ]


def slake_records():
    """Open and closed questions in both languages, of two images."""
    first, second = "xmlab1/source.jpg", "xmlab2/source.jpg"
    closed = {"answer_type": "CLOSED"}
    return [
        files.slake_record(11934, first, "What modality is it?", "MRI", modality="MRI"),
        files.slake_record(11935, first, "Is it MRI?", "Yes", modality="MRI", **closed),
        files.slake_record(12995, second, "是什么器官？", "肺", q_lang="zh", content_type="Organ"),
        files.slake_record(12996, second, "是CT吗？", "是", q_lang="zh", **closed),
    ]


def pmc_vqa_rows():
    """Two rows of version 2, one with a choice without text."""
    return [
        files.pmc_vqa_row(62, "PMC1_Fig1_1.jpg", "a", "Which?", ["CT", "MRI", "PET", "US"], "B"),
        files.pmc_vqa_row(63, "PMC2_Fig1_1.jpg", "b", "Where?", ["Lung", "", "A: B", "x, y"], "D"),
    ]


def omnimedvqa_records():
    """Two data sets; options of all lengths, absent, null and NaN."""
    two = files.omnimedvqa_record("ACRIMA", 1, "ACRIMA/b.png", "Normal?", ["No", "Yes"], "Yes ")
    three = ["Lung", "Heart", "Liver", None]
    return [
        files.omnimedvqa_record(
            "ACRIMA", 0, "ACRIMA/a.png", "How?", ["PET", "CT", "MRI", "Fundus"], "Fundus",
            modality_type="Fundus Photography",
        ),
        {**two, "option_C": None, "option_D": float("nan")},
        files.omnimedvqa_record(
            "Chest CT Scan", 0, "Chest CT Scan/a.png", "What?", three, "Liver",
            question_type="Anatomy Identification",
        ),
    ]  # fmt: skip


def medxpertqa_records():
    """One question about two images, one about one."""
    five = ["Measles", "Rubella", "Roseola", "Mumps", "None"]
    return [
        files.medxpertqa_record(0, ["MM-0-a.jpeg", "MM-0-b.jpeg"], "Which disease?", five, "E"),
        files.medxpertqa_record(26, ["MM-26-a.jpeg"], "Which step?", five, "A", body_system="Skin"),
    ]


def _write_slake(folder):
    images = {f"xmlab{n}/source.jpg": picture(n, kind="JPEG") for n in (1, 2)}
    files.write_slake(folder, slake_records(), images)


def _write_pmc_vqa(folder):
    rows = pmc_vqa_rows()
    images = {row["Figure_path"]: picture(n, kind="JPEG") for n, row in enumerate(rows)}
    files.write_pmc_vqa(folder, rows, images)


def _write_omnimedvqa(folder):
    records = omnimedvqa_records()
    images = {record["image_path"].removeprefix("Images/"): picture() for record in records}
    files.write_omnimedvqa(folder, records, images)


def _write_medxpertqa(folder):
    records = medxpertqa_records()
    images = {name: picture(kind="JPEG") for record in records for name in record["images"]}
    files.write_medxpertqa(folder, records, images)


_WRITERS = {
    "mmmu": lambda folder: files.write_mmmu(folder, {name: mmmu_rows(name) for name in SUBJECTS}),
    "vqa-rad": lambda folder: files.write_vqa(folder, vqa_rows()),
    "slake": _write_slake,
    "path-vqa": lambda folder: files.write_vqa(folder, vqa_rows(), shards=2),
    "pmc-vqa": _write_pmc_vqa,
    "omnimedvqa": _write_omnimedvqa,
    "medxpertqa": _write_medxpertqa,
}


def write_benchmark(name, folder):
    """Writes a benchmark to a folder, and returns the folder."""
    _WRITERS[name](folder)
    return folder
