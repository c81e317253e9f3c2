"""A folder that the files and images of a data set are written to."""

import csv
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SOUND = 4
"""Sound records of each data set."""

KINDS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


@dataclass
class DataFolder:
    """A folder that is filled, and the pictures that were put there."""

    folder: Path
    pictures: list[bytes] = field(default_factory=list)

    def picture(self, suffix=".jpg"):
        """A new picture, remembered."""
        number = len(self.pictures)
        buffer = io.BytesIO()
        colour = (number * 40 % 256, number * 7 % 256, 90)
        Image.new("RGB", (8 + number, 6), colour).save(buffer, KINDS[suffix])
        self.pictures.append(buffer.getvalue())
        return buffer.getvalue()

    def image(self, name):
        """The name of a new picture that stands there."""
        self.write(name, self.picture(".png" if ".png" in name else ".jpg"))
        return name

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def json(self, name, value):
        return self.write(name, json.dumps(value, ensure_ascii=False, indent=1).encode())

    def lines(self, name, records):
        return self.write(name, b"".join(json.dumps(record).encode() + b"\n" for record in records))

    def csv(self, name, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        return self.write(name, text.getvalue().encode())

    def table(self, name, columns):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
        return path

    def tar(self, name, members):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for member, data in members:
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return self.write(name, buffer.getvalue())


def turns(*texts):
    """A conversation in the form of LLaVA."""
    speakers = ("human", "gpt") * len(texts)
    return [{"from": s, "value": t} for s, t in zip(speakers, texts, strict=False)]
