"""Turns stored pixel values into 8-bit pictures, and those into image files.

Medical pixels are not a picture yet: they are rescaled to physical units, seen through a window of
values, inverted, or mapped through a palette. Sixteen-bit values are scaled by a window, never
clipped to their low byte.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from catalogue import Window
from PIL import Image
from pydicom import Dataset
from pydicom.pixels import apply_color_lut, pixel_array

TagValue = str | float | Sequence[str] | Sequence[float] | None
"""What a DICOM attribute holds."""

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "compress_level": 9},
    "jpg": {"format": "JPEG", "quality": 92},
    "webp": {"format": "WEBP", "quality": 92, "method": 4},
}


def tag(dataset: Dataset, keyword: str, frame: int = 0) -> TagValue:
    """Returns an attribute of one frame, or None where the file does not state it.

    Enhanced multi-frame files keep geometry and windows in functional groups: those of the frame
    itself, then those that all frames share.
    """
    if dataset.get(keyword) not in (None, ""):
        return dataset[keyword].value
    groups = [
        *dataset.get("PerFrameFunctionalGroupsSequence", [])[frame : frame + 1],
        *dataset.get("SharedFunctionalGroupsSequence", []),
    ]
    for group in groups:
        for element in group:
            if element.VR == "SQ" and element.value and keyword in element.value[0]:
                return element.value[0][keyword].value
    return None


def header_window(dataset: Dataset, frame: int = 0) -> Window | None:
    """Returns the first window that the header states, or None."""
    center, width = tag(dataset, "WindowCenter", frame), tag(dataset, "WindowWidth", frame)
    if center is None or width is None:
        return None
    return float(np.atleast_1d(center)[0]), float(np.atleast_1d(width)[0])


def percentile_window(values: np.ndarray) -> Window:
    """Returns the window from the 0.5th to the 99.5th percentile of `values`."""
    low, high = np.percentile(values, [0.5, 99.5])
    return float(low + high) / 2, float(high - low)


def through_window(values: np.ndarray, window: Window) -> np.ndarray:
    """Maps `values` to uint8 with the linear window of DICOM PS3.3, C.11.2.1.2.1."""
    center, width = window
    level = (values - (center - 0.5)) / (width - 1) + 0.5
    return np.rint(np.clip(level, 0, 1) * 255).astype(np.uint8)


def render_dicom(dataset: Dataset, frame: int, window: Window | None) -> np.ndarray:
    """Returns one frame as uint8 [rows, columns] or [rows, columns, 3].

    Args:
        dataset: DICOM file.
        frame: Number of the frame, from 0.
        window: Centre and width of the rescaled grey values to show; None takes the header's
            window, or the percentiles where it states none.
    """
    # pydicom undoes the planar configuration and turns YBR into RGB.
    stored = pixel_array(dataset, index=frame)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        # The palette's entries have 16 bits.
        return (apply_color_lut(stored, dataset) >> 8).astype(np.uint8)
    if stored.ndim == 3:
        return stored
    slope, intercept = tag(dataset, "RescaleSlope", frame), tag(dataset, "RescaleIntercept", frame)
    values = stored * float(slope or 1) + float(intercept or 0)
    window = window or header_window(dataset, frame) or percentile_window(values)
    grey = through_window(values, window)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    if dataset.get("PixelPresentation") == "COLOR":
        return _colour_above(grey, stored, dataset)
    return grey


def _colour_above(grey: np.ndarray, stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Colours the values that a supplemental palette covers; the rest stays grey."""
    entries, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    palette = np.stack(
        [
            np.frombuffer(dataset[f"{colour}PaletteColorLookupTableData"].value, "<u2") >> 8
            for colour in ("Red", "Green", "Blue")
        ],
        axis=1,
    ).astype(np.uint8)
    index = np.clip(stored.astype(np.int64) - first, 0, entries - 1)
    return np.where((stored >= first)[..., None], palette[index], grey[..., None])


def encode(pixels: np.ndarray, suffix: str) -> bytes:
    """Returns the pixels as an image file; the same bytes on every call."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **_SAVE_OPTIONS[suffix])
    return file.getvalue()
