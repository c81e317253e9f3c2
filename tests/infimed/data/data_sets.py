"""Small copies of every data set of the catalogue: true files, true fields, real images.

`build` writes one. Each has sound records and, where its form allows it, one that names an image
which is not there. `VARIANTS` are other forms in which some of them are had.
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import web_data
from data_folder import SOUND, DataFolder, turns

_HF_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True)
class DataSetFixture:
    """A data set on disk.

    Attributes:
        paths: Files to name as inputs.
        layout: Name of the layout of every file.
        samples: Number of records in all.
        missing: Number of records that name an image which is not there.
        pictures: Images of all other records, as they must be stored.
        meta: Keys that the meta of every sample must have.
        data_root: Folder of the images; None for the folder of each input.
    """

    paths: list[Path]
    layout: str
    samples: int
    missing: int
    pictures: list[bytes]
    meta: tuple[str, ...]
    data_root: Path | None

    @property
    def images(self) -> int:
        """Number of images that can be packed."""
        return len(self.pictures)


def _domain(number):
    names = ("chest_xray", "mri", "histology", "gross", "ct_scan")
    return {name: name == names[number] for name in names}


def _r2gen(box):
    def record(name, split, paths):
        return {"id": name, "report": f"The heart is normal ({name}).", "image_path": paths,
                "split": split}  # fmt: skip

    splits = {"train": [], "val": [], "test": []}
    for i in range(SOUND):
        name, split = f"CXR{i}_IM-{i}", list(splits)[i % 3]
        paths = [f"{name}/0.png", f"{name}/1.png"]
        for path in paths:
            box.image(f"images/{path}")
        splits[split].append(record(name, split, paths))
    splits["test"].append(record("CXR9", "test", ["CXR9/0.png"]))
    # The published file is a single line.
    path = box.write("annotation.json", json.dumps(splits).encode())
    return [path], SOUND + 1, ("split",), None


def _llava_med(box, name):
    records = [
        {"id": f"{i}_F1", "image": box.image(f"images/{i}_F1.jpg").removeprefix("images/"),
         "domain": _domain(i), "conversations": turns("What is shown?\n<image>", f"A scan, {i}.")}
        for i in range(SOUND)
    ]  # fmt: skip
    gone = {**records[0], "id": "9_F1", "image": "9_F1.jpg"}
    path = box.json(name, [*records, gone])
    return [path], SOUND + 1, ("domain",), box.folder / "images"


def _figure_captions(box):
    def record(name, number):
        mentions = [None, ["As Figure 1 shows."], [{"tokens": "See ( Figure 1 ) ."}], []]
        return {"pair_id": name, "pmid": name[:3], "fig_id": "F1", "fig_label": "Figure 1",
                "fig_caption": f"A scan, {name}.", "in_text_mention": mentions[number],
                "domain": _domain(number)}  # fmt: skip

    domains = {"chest_xray": [], "mri": [], "histology": [], "gross": [], "ct_scan": []}
    for i, records in enumerate(list(domains.values())[:SOUND]):
        box.image(f"images/10{i}_F1.jpg")
        records.append(record(f"10{i}_F1", i))
    domains["mri"].append(record("109_F1", 0))
    path = box.json("llava_med_instruct_fig_captions.json", domains)
    return [path], SOUND + 1, ("pmid", "fig_label", "domain"), None


def _im_text(box):
    records = [{"image": box.image(f"{i}_F1.jpg"), "text": f"A scan, {i}."} for i in range(SOUND)]
    path = box.json("data.json", [*records, {"image": "gone.jpg", "text": "x"}])
    return [path], SOUND + 1, (), None


def _rows(box, name, columns, meta=()):
    images = [{"bytes": box.picture(), "path": None} for _ in range(SOUND)]
    images.append({"bytes": None, "path": "gone.jpg"})
    columns = {key: [f"{text} {i}" for i in range(SOUND + 1)] for key, text in columns.items()}
    table = {"image": pa.array(images, _HF_IMAGE), **columns}
    if "cui" in meta:
        table["cui"] = [["C0040405"]] * (SOUND + 1)
    return [box.table(f"data/{name}", table)], SOUND + 1, meta, None


def _captions(box, meta=()):
    columns = {"image_id": "ROCO", "caption": "Axial CT of the chest."}
    return _rows(box, "train-00000-of-00001.parquet", columns, meta)


def _questions(box):
    return _rows(box, "train-00000-of-00001.parquet", {"question": "Which?", "answer": "Axial."})


def _medpix(box):
    def record(name):
        return {"Type": "CT", "U_id": name[:7], "image": name,
                "Description": {"ACR Codes": "8.-1", "Age": "73", "Caption": f"Enlarged ({name}).",
                                "Figure Part": None, "Modality": "CT - noncontrast",
                                "Plane": "Coronal", "Sex": "male"},
                "Location": "Genitourinary",
                "Location Category": "Reproductive and Urinary System"}  # fmt: skip

    names = [f"MPX100{i}_synpic{i}" for i in range(SOUND)]
    for name in names:
        box.image(f"images/{name}.png")
    records = [record(name) for name in (*names, "MPX1009_synpic9")]
    path = box.json("Descriptions.json", records)
    return [path], SOUND + 1, ("Type", "U_id", "Location Category", "Description"), None


def _pmc_oa(box):
    records = [
        {"image": box.image(f"PMC{i}_Fig3_4.jpg"), "caption": f"A. Image {i}."}
        for i in range(SOUND)
    ]
    path = box.lines("pmc_oa.jsonl", [*records, {"image": "PMC9_Fig1.jpg", "caption": "x"}])
    return [path], SOUND + 1, (), None


def _pubmedvision(box, name):
    def record(name, images):
        asked = turns("What do the images show?", f"A nodule ({name}).")
        return {"image": images, "id": name, "modality": "Computed Tomography",
                "body_part": "Chest", "conversations": asked}  # fmt: skip

    records = [
        record(f"a{i}", [box.image(f"images/pmc_{i}_{n}.jpg") for n in range(1 + i % 2)])
        for i in range(SOUND)
    ]
    gone = record("a9", ["images/pmc_0_0.jpg", "images/pmc_9_0.jpg"])
    path = box.json(name, [*records, gone])
    return [path], SOUND + 1, ("modality", "body_part"), None


def _pmc_vqa(box):
    def row(name):
        return {"Figure_path": name, "Question": " What is the uptake\npattern? ",
                "Answer": "Focal, in part", "Choice A": " A:Diffuse ",
                "Choice B": " B:Focal, in part", "Choice C": " C:None",
                "Choice D": ' D:It is "unclear" ', "Answer_label": "B"}  # fmt: skip

    names = [f"PMC{i}_F1.jpg" for i in range(SOUND)]
    for name in names:
        box.image(f"images/{name}")
    return [box.csv("train.csv", [row(name) for name in (*names, "PMC9.jpg")])], SOUND + 1, (), None


def _pmc_vqa_2(box):
    def row(number, name):
        return {"index": number, "Figure_path": name, "Caption": "A figure.", "Question": "Which?",
                "Choice A": " A:CT", "Choice B": " B:MRI", "Choice C": " C:PET",
                "Choice D": " D:X-ray", "Answer": "D", "split": "train"}  # fmt: skip

    names = [f"PMC{i}_Fig1_1.jpg" for i in range(SOUND)]
    for name in names:
        box.image(f"figures/{name}")
    rows = [row(number, name) for number, name in enumerate((*names, "PMC9.jpg"))]
    return [box.csv("train_2.csv", rows)], SOUND + 1, ("Caption", "split"), None


def _slake(box):
    def record(number, name):
        is_english = number % 2 == 0
        return {"img_id": number, "img_name": f"{name}/source.jpg",
                "question": "Which plane is it?" if is_english else "图像里有什么器官？",
                "answer": "Transverse plane." if is_english else "肝脏，脾脏",
                "q_lang": "en" if is_english else "zh", "location": "Abdomen", "modality": "MRI",
                "answer_type": "OPEN", "base_type": "vqa", "content_type": "Plane",
                "triple": ["vhead", "_", "_"], "qid": number}  # fmt: skip

    names = [f"xmlab{i}" for i in range(SOUND)]
    for name in names:
        box.image(f"imgs/{name}/source.jpg")
    records = [record(number, name) for number, name in enumerate((*names, "xmlab9"))]
    keys = "q_lang modality location answer_type base_type content_type qid triple"
    return [box.json("train.json", records)], SOUND + 1, tuple(keys.split()), None


def _vqa_med(box, folder="Train_images", middle="", name="All_QA_Pairs_train.txt"):
    lines = [f"synpic9|{middle}what plane is this?|axial"]
    for i in range(SOUND):
        box.image(f"{folder}/synpic{i}.jpg")
        lines.append(f"synpic{i}|{middle}what is shown?|ct w/contrast (iv)")
    meta = ("image_id", "category") if middle else ("image_id",)
    return [box.write(name, "\r\n".join(lines).encode())], SOUND + 1, meta, None


def _vqa_med_test(box):
    name = "VQAMed2019_Test_Questions_w_Ref_Answers.txt"
    return _vqa_med(box, "VQAMed2019_Test_Images", "modality|", name)


_BUILDERS = {
    "datacomp": ("webdataset", web_data.pairs),
    "ccs": ("webdataset", web_data.pairs),
    "obelics": ("obelics", web_data.obelics),
    "mmc4": ("mmc4", web_data.mmc4),
    "mammoth-vl-10m": ("llava", web_data.mammoth),
    "iu-xray": ("r2gen", _r2gen),
    "llava-med-alignment": ("llava", partial(_llava_med, name="llava_med_alignment_500k.json")),
    "llava-med-fig-caption": ("figure-captions", _figure_captions),
    "llava-med-instruct": (
        "llava",
        partial(_llava_med, name="llava_med_instruct_60k_inline_mention.json"),
    ),
    "llava-med-60k-im-text": ("caption", _im_text),
    "medtrinity-25m": ("caption", lambda box: _rows(box, "0.parquet", {"id": "x", "caption": "y"})),
    "medpix-2.0": ("medpix", _medpix),
    "pmc-oa": ("caption", _pmc_oa),
    "pubmedvision-alignment": (
        "llava",
        partial(_pubmedvision, name="PubMedVision_Alignment_VQA.json"),
    ),
    "pubmedvision-instruct": (
        "llava",
        partial(_pubmedvision, name="PubMedVision_InstructionTuning_VQA.json"),
    ),
    "roco": ("caption", _captions),
    "rocov2": ("caption", partial(_captions, meta=("cui",))),
    "path-vqa": ("vqa", _questions),
    "pmc-vqa": ("pmc-vqa", _pmc_vqa),
    "slake": ("slake", _slake),
    "vqa-med-2019": ("vqa-med", _vqa_med),
    "vqa-rad": ("vqa", _questions),
    "obelics as tar": ("open-qwen2vl", web_data.interleaved),
    "pmc-vqa version 2": ("pmc-vqa", _pmc_vqa_2),
    "vqa-med-2019 test set": ("vqa-med", _vqa_med_test),
}

VARIANTS = tuple(name for name in _BUILDERS if " " in name)
NAMES = tuple(_BUILDERS)


def build(name, folder):
    """Writes the data set `name`, or a variant of one, below `folder`."""
    layout, builder = _BUILDERS[name]
    box = DataFolder(Path(folder))
    paths, samples, meta, data_root = builder(box)
    missing = samples - SOUND
    return DataSetFixture(paths, layout, samples, missing, box.pictures, meta, data_root)
