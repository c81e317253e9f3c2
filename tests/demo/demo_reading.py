"""What the tests of the demo read it with: source files by package, pictures, stated values."""

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

DEMO = Path(__file__).parents[2] / "examples" / "demo"

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
