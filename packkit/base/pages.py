"""Pages of HTML that stand alone, from the templates that lie beside their modules."""

from __future__ import annotations

from importlib.resources import files

from packkit.base.errors import MissingExtraError


def render_page(package: str, template: str, *, extra: str, **values: object) -> str:
    """Returns a page; what is put into it is text, and no markup.

    Args:
        package: Where the template lies, such as ``packkit.infimed.curation``.
        template: Name of its file.
        extra: The extra of packkit that brings jinja2 for this caller.
        values: What the template names.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", extra) from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = files(package).joinpath(template).read_text("utf-8")
    return environment.from_string(text).render(**values)
