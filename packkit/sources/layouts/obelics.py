"""OBELICS: ``images[]`` and ``texts[]`` aligned by position, images as URLs.

The user downloads the images. ``https://host/path/x.jpg?q=1`` is looked for as
``host/path/x.jpg?q=1`` under the data root, which is where ``wget --force-directories`` puts it:
the host in small letters, escapes decoded unless they stand for a slash or a control character,
slashes of a query escaped. Paths and bytes are taken as in any other layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from packkit.base.errors import invalid_sample
from packkit.images import DataRoot, ImageRef
from packkit.samples import Sample
from packkit.sources.base import (
    Fields,
    FixedLayout,
    add_text,
    id_from_field,
    image_from_field,
    rest_as_meta,
)

_USED = {"id", "images", "texts"}
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_KEPT_ESCAPE = re.compile(r"(%(?:2f|[01][0-9a-f]|7f))", re.IGNORECASE)


class ObelicsLayout(FixedLayout):
    """Documents in which every position holds an image or a text, the other being null.

    Texts that follow each other are paragraphs of one part. ``metadata`` and ``general_metadata``
    are kept in ``meta`` as the JSON strings that they are.
    """

    name: ClassVar[str] = "obelics"

    def matches(self, fields: Fields) -> bool:
        """Whether there are images and texts side by side."""
        texts = fields.get("texts")
        has_pairs = isinstance(texts, list) and any(isinstance(text, Mapping) for text in texts)
        return {"images", "texts"} <= fields.keys() and not (has_pairs or "image_info" in fields)

    def to_sample(self, fields: Fields, root: DataRoot) -> Sample:
        """Reads a document.

        Raises:
            SampleError: Images and texts do not line up, or an image is neither bytes, base64, a
                path nor a URL.
        """
        values, texts = fields.get("images"), fields.get("texts")
        if not isinstance(values, list) or not isinstance(texts, list) or len(values) != len(texts):
            raise invalid_sample("images and texts must be lists of one length")
        content: list[str | None] = []
        images: list[bytes | ImageRef] = []
        for position, (value, text) in enumerate(zip(values, texts, strict=True)):
            if value is None and text in (None, ""):
                continue
            if (value is None) == (text is None) or not isinstance(text, str | None):
                raise invalid_sample(f"position {position} must hold either an image or a text")
            if text is None:
                content.append(None)
                images.append(_image(value, root))
            else:
                add_text(content, text, "\n\n")
        return Sample(
            id=id_from_field(fields, "id"),
            content=tuple(content),
            images=tuple(images),
            meta=rest_as_meta(fields, _USED),
        )


def _image(value: Any, root: DataRoot) -> bytes | ImageRef:  # noqa: ANN401
    if isinstance(value, str) and _SCHEME.match(value):
        return root.image(_local_name(value))
    return image_from_field(value, root)


def _local_name(url: str) -> str:
    """Returns the path under which wget saves what stands at a URL."""
    address = url.partition("://")[2].partition("#")[0]
    path, mark, query = address.partition("?")
    host, slash, path = path.partition("/")
    pieces = _KEPT_ESCAPE.split(path + mark + query.replace("/", "%2F"))
    pieces[::2] = map(unquote, pieces[::2])
    return host.lower() + slash + "".join(pieces)
