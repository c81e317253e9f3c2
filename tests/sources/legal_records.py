"""Random legal records of every layout, each with the training data that must come out of it.

What comes out is written as turns: role, content and whether it is trained, an image being the
bytes of its file; a document is one turn without a role.
"""

import base64
from pathlib import Path

from hypothesis import strategies as st

texts = st.text("abcdefghij 中é.", min_size=1, max_size=12).filter(str.strip).map(str.strip)
names = st.sampled_from(["a.jpg", "b.png", "deep/c.webp"])
# As people write them, so that one under another key can be told.
systems = st.sampled_from(["Be brief.", "You are a careful radiologist."])
MASKS = [("train", bool), ("loss", int), ("weight", float)]


def files_of(root):
    """The bytes of the pictures that names stand for."""
    return {
        name: Path(root.folder, name).read_bytes() for name in ("a.jpg", "b.png", "deep/c.webp")
    }


def trained(sample):
    """What a sample trains, as turns."""
    images = iter([sample.image_bytes(number) for number in range(sample.image_count)])

    def filled(content):
        return tuple(next(images) if part is None else part for part in content)

    if sample.content is not None:
        return [(None, filled(sample.content), True)]
    return [
        (message.role, filled(message.content), message.is_trained) for message in sample.messages
    ]


def joined(parts, between=""):
    """Parts in which texts that follow each other are one."""
    whole = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += between + part
        else:
            whole.append(part)
    return tuple(whole)


class Legal:
    """Draws records; one method a layout, which returns the record and its turns."""

    def __init__(self, draw, files):
        self.draw = draw
        self.files = files

    def image(self):
        """A picture in some spelling, and its bytes."""
        name = self.draw(names)
        data = self.files[name]
        text = base64.b64encode(data).decode()
        spelling = [name, f"data:image/png;base64,{text}", {"bytes": text, "path": None}]
        return self.draw(st.sampled_from(spelling)), data

    def images(self, least=0, most=3):
        return [self.image() for _ in range(self.draw(st.integers(least, most)))]

    def beside(self, images):
        """Fields that hold images beside the turns."""
        if not images:
            return {}
        if len(images) == 1 and self.draw(st.booleans()):
            return {"image": images[0][0]}
        return {"images": [spelling for spelling, _ in images]}

    def conversation(self, role_key, content_key, speakers):
        """Turns with markers, their images, and what they train."""
        turns, images, expected = [], [], []
        for number in range(self.draw(st.integers(1, 4))):
            role = ("user", "assistant")[number % 2]
            parts, text = [], self.draw(texts)
            if role == "user" and self.draw(st.booleans()):
                images.append(self.image())
                parts, text = [images[-1][1]], f"<image>{text}"
            turn = {role_key: speakers[role], content_key: text}
            expected.append((role, (*parts, text.removeprefix("<image>")), role == "assistant"))
            if self.draw(st.booleans()):
                key, kind = self.draw(st.sampled_from(MASKS))
                is_trained = self.draw(st.booleans())
                turn[key] = kind(is_trained)
                expected[-1] = (*expected[-1][:2], is_trained)
            turns.append(turn)
        return turns, images, expected

    def llava(self):
        speakers = {"user": "human", "assistant": "gpt"}
        turns, images, expected = self.conversation("from", "value", speakers)
        fields = {"id": "7", "conversations": turns, **self.beside(images)}
        if self.draw(st.booleans()):
            fields["system"] = self.draw(systems)
            expected.insert(0, ("system", (fields["system"],), False))
        return fields, expected

    def messages(self):
        speakers = {"user": "user", "assistant": "assistant"}
        turns, images, expected = self.conversation("role", "content", speakers)
        if self.draw(st.booleans()):
            return {"messages": turns, **self.beside(images)}, expected
        for turn, (_, content, _) in zip(turns, expected, strict=True):
            turn["content"] = [self.part(part) for part in content]
        return {"messages": turns}, expected

    def part(self, part):
        if isinstance(part, str):
            return {"type": "text", "text": part}
        url = f"data:image/png;base64,{base64.b64encode(part).decode()}"
        spellings = [{"image_url": {"url": url}}, {"image_url": url}, {"image": url}]
        return {"type": "image_url", **self.draw(st.sampled_from(spellings))}

    def cauldron(self):
        images = self.images()
        pairs = self.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=3))
        expected = [
            turn for asked, answered in pairs for turn in (("user", (asked,), False),
                                                           ("assistant", (answered,), True))
        ]  # fmt: skip
        first = expected[0]
        expected[0] = (first[0], (*(data for _, data in images), *first[1]), False)
        fields = {
            "images": [spelling for spelling, _ in images],
            "texts": [{"user": asked, "assistant": answered} for asked, answered in pairs],
        }
        return fields, expected

    def prompt(self):
        asking, answering = self.draw(
            st.sampled_from(
                [("prompt", "completion"), ("query", "response"), ("instruction", "output")]
            )
        )
        images, asked, answered = self.images(), self.draw(texts), self.draw(texts)
        fields = {asking: asked, answering: answered, **self.beside(images)}
        expected = []
        if self.draw(st.booleans()):
            fields["system"] = self.draw(systems)
            expected.append(("system", (fields["system"],), False))
        if asking == "instruction" and self.draw(st.booleans()):
            fields["input"] = self.draw(texts)
            asked = f"{asked}\n{fields['input']}"
        data = tuple(data for _, data in images)
        return fields, [
            *expected,
            ("user", (*data, asked), False),
            ("assistant", (answered,), True),
        ]

    def caption(self):
        spelling, data = self.image()
        text = self.draw(texts)
        key, name = (
            self.draw(st.sampled_from(["image", "img_path"])),
            self.draw(st.sampled_from(["text", "caption", "title"])),
        )
        return {key: spelling, name: text}, [(None, (data, text), True)]

    def vqa(self):
        spelling, data = self.image()
        asked, answer = self.draw(texts), self.draw(texts)
        fields = {"image": spelling, "question": asked, "answer": answer}
        kind = self.draw(st.sampled_from(["open", "answers", "choices", "letters"]))
        if kind == "answers":
            fields["answers"] = [fields.pop("answer")]
        if self.draw(st.booleans()):
            fields["hint"] = self.draw(texts)
            asked = f"{fields['hint']}\n{asked}"
        if kind in ("choices", "letters"):
            choices = self.draw(st.lists(texts, min_size=2, max_size=4, unique=True))
            lettered = dict(zip("ABCD", choices, strict=False))
            right = self.draw(st.integers(0, len(choices) - 1))
            asked = "\n".join([asked, *(f"{key}. {text}" for key, text in lettered.items())])
            answer = "ABCD"[right]
            fields["answer"] = choices[right] if kind == "choices" else answer
            fields |= {"choices": choices} if kind == "choices" else lettered
        return fields, [("user", (data, asked), False), ("assistant", (answer,), True)]

    def packkit(self):
        parts = [
            self.image()[1] if self.draw(st.booleans()) else self.draw(texts) for _ in range(3)
        ]
        images = [part for part in parts if isinstance(part, bytes)]
        fields = {
            "content": [
                {"type": "image"} if isinstance(part, bytes) else {"type": "text", "text": part}
                for part in parts
            ],
            "images": [base64.b64encode(data).decode() for data in images],
        }
        return fields, [(None, tuple(parts), True)]

    def open_qwen2vl(self):
        parts = [*(data for _, data in self.images()), self.draw(texts)]
        infos = [
            {"image_base64": base64.b64encode(part).decode()} if isinstance(part, bytes) else None
            for part in parts
        ]
        written = [part if isinstance(part, str) else None for part in parts]
        return {"texts": written, "image_info": infos}, [(None, tuple(parts), True)]

    def obelics(self):
        parts = self.draw(st.lists(st.none() | texts, min_size=1, max_size=5))
        images = [None if part is not None else self.image() for part in parts]
        fields = {
            "images": [None if image is None else image[0] for image in images],
            "texts": parts,
        }
        filled = [image[1] if image else part for part, image in zip(parts, images, strict=True)]
        return fields, [(None, joined(filled, "\n\n"), True)]

    def mmc4(self):
        sentences = self.draw(st.lists(texts, min_size=1, max_size=3))
        infos, parts = [], []
        for number, sentence in enumerate(sentences):
            for spelling, data in self.images(most=2):
                infos.append({"image_name": spelling, "matched_text_index": number})
                parts.append(data)
            parts.append(sentence)
        return {"text_list": sentences, "image_info": infos}, [(None, joined(parts, " "), True)]

    def webdataset(self):
        kinds = {"a.jpg": "jpg", "b.png": "png", "deep/c.webp": "webp"}
        chosen = self.draw(st.lists(names, min_size=1, max_size=3, unique=True))
        data = [self.files[name] for name in chosen]
        fields = {"__key__": "7", **dict(zip((kinds[name] for name in chosen), data, strict=True))}
        asked, answered = self.draw(texts), self.draw(texts)
        if self.draw(st.booleans()):
            member = self.draw(st.sampled_from(["txt", "json"]))
            fields[member] = asked if member == "txt" else {"caption": asked}
            return fields, [(None, (*data, asked), True)]
        turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answered}]
        fields["json"] = self.draw(st.sampled_from([turns, {"conversations": turns}]))
        return fields, [("user", (*data, asked), False), ("assistant", (answered,), True)]


LAYOUTS = {
    name.replace("_", "-"): getattr(Legal, name)
    for name in (
        *("llava", "messages", "cauldron", "prompt", "caption", "vqa", "packkit"),
        *("open_qwen2vl", "obelics", "mmc4", "webdataset"),
    )
}
