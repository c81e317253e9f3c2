"""What the texts may state: attributes of an image file, with their names and meanings.

No attribute in this table tells about a patient, a physician or a hospital, so no text names one.
Meanings follow DICOM PS3.3 and the NIfTI-1 header.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ATTRIBUTES", "BODY_PARTS", "GROUPS", "MODALITIES", "Attribute", "Modality"]


class Attribute(NamedTuple):
    """One attribute of an image file.

    Attributes:
        name: English name, as it stands inside a sentence.
        name_zh: Chinese name.
        meaning: What the attribute tells, as the end of a sentence.
        unit: Unit of the value; empty where it has none.
    """

    name: str
    name_zh: str
    meaning: str
    unit: str = ""

    @property
    def explanation(self) -> str:
        """The meaning as a clause of its own."""
        is_clause = self.meaning.startswith(("how ", "whether ", "where ", "which "))
        return f"it tells {self.meaning}" if is_clause else f"it is {self.meaning}"


class Modality(NamedTuple):
    """One way to take images.

    Attributes:
        name: English name, as it stands inside a sentence.
        name_zh: Chinese name.
        image: English name of its images.
        image_zh: Chinese name of its images.
    """

    name: str
    name_zh: str
    image: str
    image_zh: str


_EXAMINATION = {
    "Modality": Attribute("modality", "成像方式", "the technique that made the image"),
    "BodyPartExamined": Attribute(
        "body part examined", "检查部位", "the part of the body that was imaged"
    ),
    "StudyDescription": Attribute(
        "study description", "检查描述", "the site's own words for the whole examination"
    ),
    "SeriesDescription": Attribute(
        "series description", "序列描述", "the site's own words for the series of this image"
    ),
    "ProtocolName": Attribute(
        "protocol name", "协议名称", "the name of the protocol that the series was acquired with"
    ),
    "ImageType": Attribute(
        "image type",
        "图像类型",
        "whether the pixels are original or derived, and whether the examination itself made them",
    ),
    "ContrastBolusAgent": Attribute(
        "contrast agent", "对比剂", "the contrast agent that was given"
    ),
    "DerivationDescription": Attribute(
        "derivation description", "派生说明", "how the pixels were made from earlier ones"
    ),
    "Manufacturer": Attribute("manufacturer", "制造商", "the maker of the equipment"),
    "ManufacturerModelName": Attribute(
        "model name", "设备型号", "the maker's name for the equipment"
    ),
}

_GEOMETRY = {
    "PatientPosition": Attribute(
        "patient position",
        "患者体位",
        "how the body lay in the scanner: head first (HF) or feet first (FF), "
        "on the back (S) or on the front (P)",
    ),
    "PatientOrientation": Attribute(
        "patient orientation",
        "患者方向",
        "where the rows and then the columns run to in the body: "
        "left (L), right (R), head (H), feet (F), anterior (A), posterior (P)",
    ),
    "ViewPosition": Attribute(
        "view position",
        "投照方向",
        "the path of the beam: from back to front (PA) or from front to back (AP)",
    ),
    "Laterality": Attribute("laterality", "侧别", "which of two paired body parts was examined"),
    "ImageOrientationPatient": Attribute(
        "image orientation",
        "图像方向余弦",
        "the direction cosines of the rows and of the columns in the coordinates of the body",
    ),
    "PixelSpacing": Attribute(
        "pixel spacing",
        "像素间距",
        "the distance between the centres of neighbouring pixels, down and across",
        "mm",
    ),
    "SliceThickness": Attribute(
        "slice thickness", "层厚", "the nominal thickness of a slice", "mm"
    ),
    "SpacingBetweenSlices": Attribute(
        "spacing between slices", "层间距", "the distance between neighbouring slices", "mm"
    ),
    "GantryDetectorTilt": Attribute(
        "gantry tilt", "机架倾角", "the angle at which the gantry stood to the patient", "degrees"
    ),
    "DepthOfScanField": Attribute(
        "depth of the scan field", "扫描深度", "how deep the ultrasound scan reaches", "mm"
    ),
    "PixelAspectRatio": Attribute(
        "pixel aspect ratio", "像素纵横比", "the height of a pixel to its width"
    ),
    "VolumeShape": Attribute(
        "volume shape", "体数据尺寸", "the number of voxels along each axis, then of time points"
    ),
    "VoxelSize": Attribute("voxel size", "体素大小", "the edges of a voxel along each axis", "mm"),
    "AxisCodes": Attribute(
        "axis code",
        "轴方向代码",
        "where each axis of the volume runs to: left (L), right (R), anterior (A), posterior (P), "
        "superior (S), inferior (I)",
    ),
}

_ACQUISITION = {
    "KVP": Attribute("tube voltage", "管电压", "the peak voltage of the X-ray generator", "kV"),
    "XRayTubeCurrent": Attribute("tube current", "管电流", "the current of the X-ray tube", "mA"),
    "ExposureTime": Attribute("exposure time", "曝光时间", "how long X-rays were on", "ms"),
    "DistanceSourceToDetector": Attribute(
        "distance from source to detector",
        "源到探测器距离",
        "how far the X-ray source stood from the detector",
        "mm",
    ),
    "FilterType": Attribute("filter", "滤过器", "the filter in the X-ray beam"),
    "ConvolutionKernel": Attribute(
        "convolution kernel", "重建卷积核", "the kernel that the image was reconstructed with"
    ),
    "PlateType": Attribute("plate type", "成像板类型", "the kind of plate that took the exposure"),
    "CassetteSize": Attribute("cassette size", "暗盒尺寸", "the size of the cassette"),
    "MagneticFieldStrength": Attribute(
        "magnetic field strength", "磁场强度", "the nominal strength of the magnet", "T"
    ),
    "ScanningSequence": Attribute(
        "scanning sequence",
        "扫描序列",
        "the kind of pulse sequence: spin echo (SE), gradient recalled (GR), echo planar (EP), "
        "inversion recovery (IR)",
    ),
    "MRAcquisitionType": Attribute(
        "acquisition type", "采集类型", "whether data were taken slice by slice or as one volume"
    ),
    "RepetitionTime": Attribute(
        "repetition time", "重复时间", "the time from one pulse sequence to the next", "ms"
    ),
    "EchoTime": Attribute(
        "echo time", "回波时间", "the time from the excitation pulse to the peak of the echo", "ms"
    ),
    "FlipAngle": Attribute(
        "flip angle", "翻转角", "the angle by which the pulse turns the magnetization", "degrees"
    ),
    "NumberOfAverages": Attribute(
        "number of averages", "平均次数", "how many times a point of k-space was measured at most"
    ),
    "ImagingFrequency": Attribute(
        "imaging frequency", "成像频率", "the precession frequency of the imaged nucleus", "MHz"
    ),
    "AcquisitionContrast": Attribute(
        "acquisition contrast", "采集对比度", "the contrast that the acquisition aims at"
    ),
    "PulseSequenceName": Attribute(
        "pulse sequence name", "脉冲序列名称", "the name of the pulse sequence"
    ),
    "CountsAccumulated": Attribute(
        "accumulated count", "累积计数", "how many gamma events the image holds"
    ),
    "ScanVelocity": Attribute(
        "scan velocity", "扫描速度", "how fast the camera moved along the body", "mm/s"
    ),
    "ScanLength": Attribute(
        "scan length", "扫描长度", "the size of the imaged area along the scan", "mm"
    ),
    "FrameTime": Attribute("frame time", "帧时间", "the time from one frame to the next", "ms"),
}

_PIXELS = {
    "Rows": Attribute("number of rows", "行数", "the height of a frame, in pixels"),
    "Columns": Attribute("number of columns", "列数", "the width of a frame, in pixels"),
    "NumberOfFrames": Attribute("number of frames", "帧数", "how many frames the file holds"),
    "SamplesPerPixel": Attribute(
        "number of samples per pixel", "每像素样本数", "1 for grey or palette pixels, 3 for colour"
    ),
    "PhotometricInterpretation": Attribute(
        "photometric interpretation",
        "光度解释",
        "how stored values become brightness or colour: in MONOCHROME1 the lowest value is white, "
        "in MONOCHROME2 it is black",
    ),
    "PlanarConfiguration": Attribute(
        "planar configuration",
        "平面配置",
        "0 where colours alternate pixel by pixel, 1 where each colour is a plane of its own",
    ),
    "BitsStored": Attribute(
        "number of bits stored", "存储位数", "how many bits of each value are used"
    ),
    "PixelRepresentation": Attribute(
        "pixel representation", "像素表示", "0 for unsigned values, 1 for signed ones"
    ),
    "RescaleSlope": Attribute(
        "rescale slope", "重定标斜率", "the factor that turns stored values into output units"
    ),
    "RescaleIntercept": Attribute(
        "rescale intercept", "重定标截距", "what is added to stored values after the slope"
    ),
    "LossyImageCompressionRatio": Attribute(
        "lossy compression ratio",
        "有损压缩比",
        "how much smaller lossy compression made the pixels",
    ),
}

GROUPS = {
    "examination": _EXAMINATION,
    "geometry": _GEOMETRY,
    "acquisition": _ACQUISITION,
    "pixels": _PIXELS,
}
"""Topic -> its attributes, in the order in which texts go through them."""

ATTRIBUTES = {keyword: attr for group in GROUPS.values() for keyword, attr in group.items()}

MODALITIES = {
    "CT": Modality("computed tomography", "计算机断层扫描", "CT image", "CT图像"),
    "MR": Modality("magnetic resonance", "磁共振成像", "MR image", "磁共振图像"),
    "CR": Modality(
        "computed radiography, an X-ray technique", "计算机X线摄影", "radiograph", "X线片"
    ),
    "US": Modality("ultrasound", "超声", "ultrasound image", "超声图像"),
    "NM": Modality("nuclear medicine", "核医学", "nuclear medicine image", "核医学图像"),
    "SM": Modality("slide microscopy", "切片显微镜", "slide microscopy image", "切片显微图像"),
    "OP": Modality("ophthalmic photography", "眼科摄影", "ophthalmic photograph", "眼科照片"),
    "GM": Modality("general microscopy", "普通显微镜", "microscopy image", "显微图像"),
}
"""DICOM's terms for the modalities in this data set."""

BODY_PARTS = {
    "ABDOMEN": ("the abdomen", "腹部"),
    "BRAIN": ("the brain", "脑"),
    "CHEST": ("the chest", "胸部"),
    "EXTREMITY": ("an extremity", "四肢"),
    "HEAD": ("the head", "头部"),
    "PANCREAS": ("the pancreas", "胰腺"),
    "WHOLE BODY": ("the whole body", "全身"),
}
"""Body part as headers name it -> its English and its Chinese name."""
