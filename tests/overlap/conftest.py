"""What the tests of overlap share: the demo's images, changes to them, and data that hold them."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from packing_inputs import write_lines
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """The files of the demo's images, as bytes in the order of their names."""
    folder = tmp_path_factory.mktemp("demo")
    build = [sys.executable, ROOT / "examples/demo/build.py", folder / "data"]
    subprocess.run([*build, "--tokenizer", folder / "t.json"], check=True, capture_output=True)
    files = sorted((folder / "data" / "vqa" / "images").iterdir())
    return [path.read_bytes() for path in files]


@pytest.fixture(scope="session")
def encode():
    """Encodes an image file anew, in half the size if a filter is given."""

    def run(data, kind, resampling=None, **options):
        with Image.open(io.BytesIO(data)) as file:
            image = file.convert("L" if file.mode == "L" else "RGB")
        if resampling is not None:
            image = image.resize((image.width // 2, image.height // 2), resampling)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return run


@pytest.fixture
def write(tmp_path):
    """Writes a file of dialogues, each from its question, or many, and the bytes of its images."""

    def run(name, *dialogues):
        records = []
        for number, (questions, *images) in enumerate(dialogues):
            paths = [f"{name}-{number}-{image}.png" for image in range(len(images))]
            for path, data in zip(paths, images, strict=True):
                if data is not None:
                    (tmp_path / path).write_bytes(data)
            records.append(_dialogue(f"{name}/{number}", questions, paths))
        write_lines(tmp_path / f"{name}.jsonl", records)
        return tmp_path / f"{name}.jsonl"

    return run


def _dialogue(name, questions, images):
    questions = [questions] if isinstance(questions, str) else questions
    messages = []
    for turn, question in enumerate(questions):
        shown = [] if turn else [{"type": "image"}] * len(images)
        messages.append({"role": "user", "content": [*shown, {"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": "Yes."})
    return {"id": name, "messages": messages, "images": images}
