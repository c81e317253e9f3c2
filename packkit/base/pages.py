"""Self-contained HTML pages, from templates that lie beside their modules."""

from __future__ import annotations

from importlib.resources import files

from packkit.base.errors import MissingExtraError


def render_page(package: str, template: str, *, extra: str, **values: object) -> str:
    """Returns a page; values are put in as text, with markup escaped.

    Args:
        package: Package that holds the template, such as ``packkit.infimed.curation``.
        template: File name of the template.
        extra: Extra of packkit that installs jinja2 for this caller.
        values: Values of the names in the template.

    Raises:
        MissingExtraError: The package jinja2 is not installed.
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
