"""Inputs after public reports and published formats: each comes out as its author meant it.

``reports/`` holds them; the numbers in their names are those of nothing but their order.
"""

from pathlib import Path

import pytest

from packkit.base.errors import InputError, SampleError
from packkit.sources import read_samples

FOLDER = Path(__file__).parent / "reports"
IMAGES = {path.read_bytes(): path.stem for path in (FOLDER / "imgs").iterdir()}
ORGAN, SUM = (
    "user: [0]Which organ? | assistant: Liver.",
    "user: What is two plus two? | assistant: Four.",
)
SCAN = "What is seen in this scan? | assistant: A liver with a cyst."
SEEN = "user: Which organ?[0] | assistant: Liver.", "user: Which organ?[1] | assistant: Liver."

# A turn or document with its images by name in brackets; turns that are not trained in parentheses;
# a reject by its reason.
EXPECTED = {
    "01_llava_image_values.json": [
        *(ORGAN, SUM, SUM, SUM, ORGAN.replace("0", "1"), SUM, ORGAN),
        # The image is called None, which is base64, and no image.
        "user: [?]What is two plus two? | assistant: Four.",
    ],
    "04_swift_messages.jsonl": [
        ORGAN,
        "system: Be brief. | user: [0][1]Compare them. | assistant: Same organ.",
        "user: Name an organ. | assistant: Liver.",
        "user: Name an organ. | assistant: Liver.",
    ],
    "04b_swift_data_urls.jsonl": ["user: [0][1]Compare. | assistant: Same."],
    "04c_swift_struct_images.jsonl": [ORGAN],
    "05_openai_image_url.jsonl": [SEEN[0], ORGAN, ORGAN, "unsafe_path"],
    "06_parts_text_type.parquet": [*SEEN],
    "06b_parts_index.parquet": [*SEEN],
    "06c_parts_image_null.parquet": [*SEEN],
    "07_cauldron.parquet": [
        f"{ORGAN} | user: Which plane? | assistant: Axial.",
        "user: [1][2]Compare. | assistant: Same.",
    ],
    "07b_finevision.parquet": [ORGAN, "user: 2+2? | assistant: 4."],
    "08_onevision.parquet": [
        ORGAN,
        "user: 2+2? | assistant: 4.",
        "user: 2+3? | assistant: 5.",
    ],
    "09_tar_dotted_keys.tar": ["[0]A liver.", "[1]A kidney."],
    "09c_tar_llava_json.tar": [ORGAN],
    "09d_tar_llava_list_json.tar": [ORGAN],
    "09g_tar_nan_json.tar": ["[0]A liver."],
    "09i_tar_caption_text.tar": ["[0]A liver.", "[1]A kidney."],
    "09j_tar_not_adjacent.tar": ["empty_text", "empty_text", "missing_image", "missing_image"],
    "11_formats_llava.json": [ORGAN.replace("0", name) for name in ("g", "t", "b")],
    "12_tar_silent_image_loss.tar": [
        f"user: {images}{SCAN}" for images in ("[0][1]", "[t]", "[g]", "[0]")
    ],
    "12b_tar_silent_messages.tar": [f"user: [0]{SCAN}"],
    "14b_semicolon.csv": ["[0]A liver."],
    "14c_tab.tsv": ["[0]A liver."],
    "14d_tab.csv": ["[0]A liver."],
    "16g_nan.json": ["[0]A liver.", "[1]A kidney."],
    "17c_vqa_number.jsonl": ["user: [0]How many kidneys? | assistant: 2", "invalid_sample"],
    "17e_vqa_rad_osf.json": [
        "user: [0]How many? | assistant: 2",
        "user: [1]Is it normal? | assistant: Yes",
    ],
    "21b_phi_turn_images.json": [ORGAN],
    "21e_image_in_key.jsonl": ["unused_media"] * 4,
    "21f_messages_image_singular.jsonl": ["user: [0]Which organ is shown? | assistant: Liver."],
    "24_base64_forms.jsonl": [
        *("[0]A liver.", "[0]A liver.", "[1]A liver.", "[0]A liver.", "[0]A liver."),
        "[invalid_base64]A liver.",
    ],
    "28b_turn_weight.json": [
        "user: [0]Which organ? | (assistant: Spleen, this turn must not be trained.) | "
        "user: Again? | assistant: Liver."
    ],
    "29_placeholders.json": ["unknown_marker"] * 14,
    "31_mixed_image_types.json": ["user: [0] [1] Compare. | assistant: Same.", ORGAN],
    "32_m2i2_vqa_rad.jsonl": ["user: [0]are regions of the brain infarcted? | assistant: yes"],
}


def shown(sample):
    if isinstance(sample, SampleError):
        return sample.reason.value
    images = iter(map(name_of, sample.images))

    def text_of(content):
        return "".join(f"[{next(images)}]" if part is None else part for part in content)

    if sample.content is not None:
        return text_of(sample.content)
    turns = []
    for message in sample.messages:
        turn = f"{message.role}: {text_of(message.content)}"
        is_usual = message.is_trained == (message.role == "assistant")
        turns.append(turn if is_usual else f"({turn})")
    return " | ".join(turns)


def name_of(image):
    try:
        data = image if isinstance(image, bytes) else image.read()
    except SampleError as error:
        return error.reason.value
    return IMAGES.get(data, "?")


def read(name, staging, **options):
    return [
        shown(sample) for _, sample in read_samples([FOLDER / name], staging=staging, **options)
    ]


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_read_as_it_was_meant(tmp_path, name):
    assert read(name, tmp_path) == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("33_tar_img_cap.tar", {"image": "img", "text": "cap"}, ["[0]A liver.", "[1]A kidney."]),
        ("09e_tar_caption_other_key.tar", {"text": "caption_long"}, ["[0]A liver on CT."]),
    ],
)
def test_columns_name_members_and_keys_of_a_tar(tmp_path, name, columns, expected):
    assert read(name, tmp_path, columns=columns) == expected


def test_what_img2dataset_leaves_beside_its_tars_is_left_out_and_said(tmp_path):
    with pytest.warns(UserWarning, match=r"2 files such as 00000\.parquet are left out"):
        assert read("10_img2dataset", tmp_path) == ["[0]A liver."]
    # Named, they are read.
    with pytest.raises(InputError, match="no known layout has the keys caption, error_message"):
        read("10_img2dataset/00000.parquet", tmp_path)


def test_every_file_is_expected():
    others = {"imgs", "10_img2dataset", "33_tar_img_cap.tar", "09e_tar_caption_other_key.tar"}
    assert {path.name for path in FOLDER.iterdir()} - others == {*EXPECTED}
