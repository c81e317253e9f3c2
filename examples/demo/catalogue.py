"""The pictures of the demo, and where each comes from.

All come out of installed packages; nothing is fetched. Near-copies (other encodings of the same
image, neighbouring frames and slices) are left out, as are pictures that are not medical, and two
files: OBXXXX1A.dcm, an almost empty ultrasound frame full of burned-in text, and
SC_jpeg_no_color_transform*.dcm, nearly blank glass.
"""

from __future__ import annotations

from typing import NamedTuple

Window = tuple[float, float]
"""Centre and width of the values shown between black and white."""

Crop = tuple[int, int, int, int]
"""Left, top, right and bottom edge."""


class DicomEntry(NamedTuple):
    """A frame of a DICOM file, how to show it, and the format to store it in."""

    key: str
    file: str
    suffix: str = "png"
    frame: int | None = None
    window: Window | None = None
    crop: Crop | None = None


# Windows are given where the header states none, or to show bone as well.
DICOM = (
    DicomEntry("ct-small-soft", "pydicom/CT_small.dcm", window=(40, 400)),
    DicomEntry("ct-small-bone", "pydicom/CT_small.dcm", window=(400, 1800)),
    DicomEntry("ct-693-brain", "pydicom-data/693_UNCR.dcm"),
    DicomEntry("ct-693-bone", "pydicom-data/693_UNCR.dcm", window=(400, 2000)),
    DicomEntry("ct-head-brain", "pydicom/J2K_pixelrep_mismatch.dcm"),
    DicomEntry("ct-head-bone", "pydicom/J2K_pixelrep_mismatch.dcm", window=(500, 2500)),
    DicomEntry("ct-pancreas", "pydicom-data/explicit_VR-UN.dcm", window=(40, 400)),
    DicomEntry("ct-perfusion-0", "pydicom-data/eCT_Supplemental.dcm", frame=0),
    DicomEntry("ct-perfusion-1", "pydicom-data/eCT_Supplemental.dcm", frame=1),
    DicomEntry("mr-small", "pydicom/MR_small.dcm"),
    DicomEntry("mr-shoulder", "pydicom-data/MR2_UNCR.dcm", "jpg"),
    DicomEntry("mr-abdomen", "pydicom-data/MR-SIEMENS-DICOM-WithOverlays.dcm"),
    DicomEntry("mr-angiography", "nibabel/nicom/tests/data/slicethickness_empty_string.dcm"),
    *(DicomEntry(f"mr-head-{i}", "pydicom-data/emri_small.dcm", frame=i) for i in (0, 3, 6, 9)),
    DicomEntry("cr-chest", "pydicom-data/RG1_UNCR.dcm", "jpg"),
    DicomEntry("cr-extremity", "pydicom-data/RG3_UNCR.dcm", "jpg"),
    # The name of a hospital stands above this part of the frame.
    DicomEntry("us-doppler", "pydicom-data/US1_UNCR.dcm", crop=(42, 110, 598, 337)),
    # A name plate stands above the two regions that the header of this file names.
    DicomEntry("us-left", "pydicom-data/gdcm-US-ALOKA-16.dcm", "webp", crop=(32, 24, 336, 416)),
    DicomEntry("us-right", "pydicom-data/gdcm-US-ALOKA-16.dcm", "webp", crop=(336, 24, 640, 416)),
    DicomEntry("us-tee", "pydicom-data/color-pl.dcm"),
    *(
        # The region that the header names; the buttons of the machine stand around it.
        DicomEntry(f"us-cine-{i}", "pydicom-data/color3d_jpeg_baseline.dcm", "jpg", i, None, crop)
        for crop in [(84, 31, 596, 415)]
        for i in (30, 66, 84, 102)
    ),
    DicomEntry("nm-bone", "pydicom-data/JPEG2000_UNC.dcm"),
)

VOLUME = "nibabel/tests/data/example4d.nii.gz"

# Plane and indices of the slices shown of the volume.
SLICES = (
    ("axial", (0, 3, 6, 9, 12, 15, 18, 21)),
    ("coronal", (19, 49, 79)),
    ("sagittal", (48, 62, 76)),
)


class DocumentedEntry(NamedTuple):
    """An image file without a header, and how its package describes it."""

    key: str
    file: str
    modality: str
    about: str
    about_zh: str


# Files without a header, described as in scikit-image's docstrings and wsidicom-data's README.
DOCUMENTED = (
    DocumentedEntry(
        "op-retina",
        "scikit-image/retina.jpg",
        "OP",
        "A fundus photograph of a human retina; its source names it a normal left eye.",
        "人眼视网膜的眼底照片；来源将其命名为正常左眼。",
    ),
    DocumentedEntry(
        "op-microaneurysms",
        "scikit-image/microaneurysms.png",
        "OP",
        "A detail of an image of the retina, its green channel, cropped from image 07_dr of the "
        "High-Resolution Fundus Image Database and described as a retina with lesions.",
        "视网膜图像绿色通道的局部，裁剪自高分辨率眼底图像数据库的图像07_dr，说明中称其为带有病变的视网膜。",
    ),
    DocumentedEntry(
        "sm-colon",
        "scikit-image/ihc.png",
        "SM",
        "Colonic glands under immunohistochemical staining: DAB reveals where FHL2 protein is "
        "expressed, and a hematoxylin counterstain enhances the negative parts of the tissue.",
        "免疫组织化学染色的结肠腺体：DAB显示FHL2蛋白的表达部位，苏木精复染突出组织的阴性部分。",
    ),
    DocumentedEntry(
        "sm-tile",
        "wsidicom-data/test_tile.png",
        "SM",
        "A tile of the whole-slide image CMU-1-Small-Region from OpenSlide's test data.",
        "OpenSlide测试数据中全切片图像CMU-1-Small-Region的一个图块。",
    ),
    DocumentedEntry(
        "gm-cell",
        "scikit-image/cell.png",
        "GM",
        "A cell floating in saline: a quantitative phase image retrieved from a digital hologram, "
        "with pixels 0.107 µm apart.",
        "漂浮在生理盐水中的细胞：由数字全息图得到的定量相位图像，像素间距为0.107微米。",
    ),
)
