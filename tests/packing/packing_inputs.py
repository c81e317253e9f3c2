"""Small inputs made of real image files and real texts."""

import base64
import io
import json

import numpy as np
from PIL import Image


def png(seed, width=24, height=16):
    """A PNG of noise, another one for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def caption(number, text=None, **changes):
    """A canonical record with one image."""
    words = ["axial", "slice", "of", "the", "chest", "with", "contrast", "and", "without", "motion"]
    text = text or " ".join(words[(number + i) % len(words)] for i in range(3 + number * 7 % 60))
    return {
        "id": f"caption/{number}",
        "content": [{"type": "image"}, {"type": "text", "text": text}],
        "images": [base64.b64encode(png(number)).decode()],
        **changes,
    }


def write_lines(path, records):
    """Writes JSON lines; bytes are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for record in records:
            line = record if isinstance(record, bytes) else json.dumps(record).encode()
            file.write(line + b"\n")
    return path


def set_bytes(folder):
    """Every file of a pack set by name, all but run.json."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }
