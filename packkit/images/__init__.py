"""Encoded images: headers, where their bytes stand, and pixels (`packkit.images.pixels`)."""

from packkit.images.data_root import DataRoot
from packkit.images.headers import (
    FORMATS,
    HEAD_BYTES,
    LARGEST_PIXELS,
    LARGEST_SIZE,
    MAX_PIXELS,
    ImageHeader,
    image_kind,
    read_header,
)
from packkit.images.references import (
    Base64Image,
    FileImage,
    ImagePeek,
    ImageRef,
    RangeImage,
    image_size,
    peek_header,
)

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "LARGEST_PIXELS",
    "LARGEST_SIZE",
    "MAX_PIXELS",
    "Base64Image",
    "DataRoot",
    "FileImage",
    "ImageHeader",
    "ImagePeek",
    "ImageRef",
    "RangeImage",
    "image_kind",
    "image_size",
    "peek_header",
    "read_header",
]
