"""Samples that tests of the encoder are made with, and what they look at."""

from packkit.samples import Message, Sample

IMAGE_TOKENS = 5
"""Tokens of an image where cuts are to fall everywhere."""


def chat(*turns):
    """A conversation of alternating user and assistant turns; None in a turn is an image."""
    roles = ("user", "assistant") * len(turns)
    messages = tuple(
        Message(role, (turn,) if isinstance(turn, str) else turn)
        for role, turn in zip(roles, turns, strict=False)
    )
    return Sample(messages=messages, images=(b"",) * images_in(messages))


def images_in(messages):
    return sum(message.content.count(None) for message in messages)


def document(*parts):
    return Sample(content=parts, images=(b"",) * parts.count(None))


def limited(sample, limit):
    return Sample(
        messages=sample.messages, content=sample.content, images=sample.images, token_limit=limit
    )


def arrays_of(encoded):
    return [array.tolist() for array in (encoded.input_ids, encoded.labels, encoded.image_slots)]


def trained(encoded):
    return encoded.labels[encoded.labels != -100]


def turn(role, text):
    return Message(role, (text,))
