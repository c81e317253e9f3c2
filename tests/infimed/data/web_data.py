"""The data sets of the catalogue that are not medical, see `data_sets`."""

import base64
import json
from pathlib import Path

from data_folder import SOUND, turns


def pairs(box):
    members = []
    for i in range(SOUND):
        suffix = (".jpg", ".png", ".webp")[i % 3]
        info = json.dumps({"key": f"{i:09}", "url": f"https://x.org/{i}", "status": "success"})
        members += [
            (f"{i:09}{suffix}", box.picture(suffix)),
            (f"{i:09}.txt", f"A photo, number {i}.".encode()),
            (f"{i:09}.json", info.encode()),
        ]
    members.append((f"{SOUND:09}.txt", b"A caption without its photo."))
    return [box.tar("00000000.tar", members)], SOUND + 1, ("key", "url"), None


def obelics(box):
    rows = []
    for i in range(SOUND):
        url = f"https://Img.example.org/a%20b/{i}.jpg?w=300&from=/x#top"
        box.image(f"img.example.org/a b/{i}.jpg?w=300&from=%2Fx")
        second = box.image(f"img.example.org/{i}.png")
        rows.append(([url, None, f"http://{second}", None], [None, "First.", None, "Second."]))
    rows.append((["https://gone.example.org/x.jpg", None], [None, "A text."]))
    columns = {
        "images": [images for images, _ in rows],
        "texts": [texts for _, texts in rows],
        "metadata": ['[{"document_url": "https://example.org"}, null]'] * len(rows),
        "general_metadata": ['{"url": "https://example.org"}'] * len(rows),
    }
    path = box.table("train-00000-of-01439.parquet", columns)
    return [path], SOUND + 1, ("metadata", "general_metadata"), None


def interleaved(box):
    members = []
    for i in range(SOUND):
        image = {"image_base64": base64.b64encode(box.picture()).decode()}
        document = {"texts": ["Before.", None, "After."], "image_info": [None, image, None]}
        members.append((f"{i:05}.json", json.dumps({**document, "url": "x"}).encode()))
    return [box.tar("00000.tar", members)], SOUND, ("url",), None


def mmc4(box):
    def record(*infos):
        return {
            "url": "http://example.org",
            "text_list": ["One.", "Two.", "Three."],
            "image_info": [
                {"image_name": name, "raw_url": "http://x", "matched_text_index": index,
                 "matched_sim": 0.3, "face_detections": None}
                for name, index in infos
            ],
            "similarity_matrix": [[0.2, 0.3, 0.1]] * len(infos),
            "could_have_url_duplicate": 0,
        }  # fmt: skip

    names = [tuple(f"images/{i}-{n}.jpg" for n in "ab") for i in range(SOUND)]
    records = []
    for first, second in names:
        # The one that stands last in the text comes first in the list.
        box.image(first), box.image(second)
        records.append(record((Path(second).name, 2), (Path(first).name, 0)))
    records.append(record(("gone.jpg", 1)))
    path = box.lines("docs_no_face_shard_0_v3.jsonl", records)
    return [path], SOUND + 1, ("url", "could_have_url_duplicate"), None


def mammoth(box):
    records = [
        {"id": i, "source": "x", "image": box.image(f"single/{i}.jpg"),
         "conversations": turns("<image>\nWhat is it?", f"Number {i}.")}
        for i in range(SOUND - 1)
    ]  # fmt: skip
    records.append({"id": "text", "source": "x", "conversations": turns("Two and two?", "Four.")})
    gone = {"id": "g", "source": "x", "image": "gone.jpg", "conversations": turns("<image>", "x")}
    return [box.json("mammoth_si_10M.json", [*records, gone])], SOUND + 1, ("source",), None
