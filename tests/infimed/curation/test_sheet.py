"""The page for blind review: it stands alone, tells nothing, and shows text as text."""

import re
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from packing_inputs import caption, png, write_lines

from packkit.base.errors import InputError, MissingExtraError
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE, RUBRIC
from packkit.infimed.curation.sampling import draw, input_sets
from packkit.infimed.curation.sheet import SheetConfig, make_sheet, render_sheet
from packkit.samples import Message, Sample
from packkit.samples.keys import sample_key

HOSTILE = "</div></script><script>alert('x')</script><img src=x onerror=alert(1)> {{ 7*7 }} & \"'"
ALWAYS = {"script": 1, "style": 1}


class Page(HTMLParser):
    """Tags, attributes and texts of a page, by sample."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.keys, self.radios, self.images, self.texts = [], [], [], [], []
        self._is_text = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self._is_text = tag == "div" and attributes.get("class") == "text"
        if tag == "section":
            self.keys.append(attributes["data-key"])
        elif tag == "input" and attributes.get("type") == "radio":
            self.radios.append((attributes["name"], attributes["value"]))
        elif tag == "img":
            self.images.append(attributes["src"])

    def handle_endtag(self, tag):
        self._is_text = False

    def handle_data(self, data):
        if self._is_text:
            self.texts.append(data)


def document(number, text, **fields):
    return {"id": f"secret/{number}", "content": text, **fields}


@pytest.fixture
def inputs(tmp_path):
    first = [caption(n, f"picture {n}", id=f"secret/{n}") for n in range(12)]
    second = [document(n, f"words {n}") for n in range(12)]
    return [
        f"alphaset={write_lines(tmp_path / 'one' / 'x.jsonl', first)}",
        f"betaset={write_lines(tmp_path / 'two' / 'y.jsonl', second)}",
    ]


def page_of(inputs, path, **options):
    report = make_sheet(inputs, path, SheetConfig(**options))
    return report, Page(path.read_text("utf-8"))


def drawn_from(path, text):
    write_lines(path / "own.jsonl", [document(0, text)])
    (input_set,) = input_sets([str(path / "own.jsonl")])
    options = {"layout": "auto", "columns": {}, "data_root": None}
    drawn_set = draw(input_set, 1, seed=0, staging=path / "s", **options)
    return drawn_set.samples[0]


def test_page_holds_what_was_drawn(inputs, tmp_path):
    report, page = page_of(inputs, tmp_path / "sheet.html", samples=8)
    assert report.drawn == {"alphaset": 8, "betaset": 8}
    assert report.samples == len(set(page.keys)) == len(page.keys) == 16
    assert report.bytes == (tmp_path / "sheet.html").stat().st_size
    assert len(page.images) == 8
    assert {text.split()[0] for text in page.texts} == {"picture", "words"}


def test_smaller_sheet_is_a_part_of_a_larger_one(inputs, tmp_path):
    _, few = page_of(inputs, tmp_path / "few.html", samples=3)
    _, more = page_of(inputs, tmp_path / "more.html", samples=9)
    assert set(few.keys) < set(more.keys)


def test_seed_decides_samples_and_order(inputs, tmp_path):
    report, first = page_of(inputs, tmp_path / "a.html", samples=12)
    same, again = page_of(inputs[::-1], tmp_path / "b.html", samples=12)
    other, second = page_of(inputs, tmp_path / "c.html", samples=12, seed=1)
    assert first.keys == again.keys and report.sheet == same.sheet
    assert sorted(first.keys) == sorted(second.keys) and first.keys != second.keys
    assert report.sheet != other.sheet
    # Data sets are mixed: twelve of one and then twelve of the other have one chance in millions.
    kinds = [text.split()[0] for text in first.texts]
    assert sum(a != b for a, b in pairwise(kinds)) > 3


def test_page_is_blind_and_stands_alone(inputs, tmp_path):
    page_of(inputs, tmp_path / "sheet.html", samples=12)
    html = (tmp_path / "sheet.html").read_text("utf-8")
    for secret in ("alphaset", "betaset", "secret/", "x.jsonl", str(tmp_path)):
        assert secret not in html
    code = re.sub(r"data:image/png;base64,[^\"]*", "", html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttp|sendBeacon", code)
    page = Page(html)
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert not [tag for tag, fields in page.tags if tag in ("link", "iframe") or "href" in fields]
    assert [fields for tag, fields in page.tags if tag == "script"] == [{}]
    policy = next(fields["content"] for _, fields in page.tags if "http-equiv" in fields)
    assert "default-src 'none'" in policy


def test_every_criterion_can_be_scored_but_relevance_of_no_image(inputs, tmp_path):
    _, page = page_of(inputs, tmp_path / "sheet.html", samples=2)
    with_image = {key for key in page.keys if (f"{key}-{IMAGING_RELEVANCE}", "1") in page.radios}
    assert len(with_image) == 2
    assert page.radios == [
        (f"{key}-{name}", str(score))
        for key in page.keys
        for name in RUBRIC
        if name != IMAGING_RELEVANCE or key in with_image
        for score in range(1, 6)
    ]


def test_rubric_stands_in_words(inputs, tmp_path):
    page_of(inputs, tmp_path / "sheet.html", samples=1)
    html = (tmp_path / "sheet.html").read_text("utf-8")
    for criterion in RUBRIC.values():
        for words in (criterion.title, criterion.question, *criterion.levels.values()):
            assert words in html


@pytest.mark.parametrize("text", [HOSTILE, "a\n\n  b\t<b>", "ünï 胸部 ​ end", "<!-- ]]> -->"])
def test_text_is_shown_as_text(tmp_path, text):
    page = Page(render_sheet("id", [drawn_from(tmp_path, text)]))
    assert page.texts == [text]
    tags = [tag for tag, _ in page.tags]
    assert {tag: tags.count(tag) for tag in ALWAYS} == ALWAYS
    assert not page.images and not any("onerror" in fields for _, fields in page.tags)


def test_turns_and_images_keep_their_order(tmp_path):
    sample = Sample(
        messages=(
            Message("user", ("before", None, "between", None)),
            Message("assistant", ("answer",)),
        ),
        images=(png(0), png(1)),
    )
    drawn = drawn_from(tmp_path, "x")._replace(sample=sample, key=sample_key(sample))
    html = render_sheet("id", [drawn])
    first, second = Page(html).images
    parts = (">user<", "before", first, "between", second, ">assistant<", "answer")
    places = [html.index(part) for part in parts]
    assert places == sorted(places) and first != second


def test_sample_of_two_data_sets_stands_there_once(tmp_path):
    paths = [write_lines(tmp_path / f"{n}.jsonl", [document(0, "same")]) for n in "ab"]
    report, page = page_of([str(path) for path in paths], tmp_path / "sheet.html")
    assert report.drawn == {"a": 1, "b": 1}
    assert report.samples == len(page.keys) == 1


@pytest.mark.parametrize(("option", "value"), [("samples", 0), ("seed", -1)])
def test_options_are_checked(option, value):
    with pytest.raises(InputError, match=option):
        SheetConfig(**{option: value})


def test_missing_jinja2_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"packkit\[judge\]"):
        render_sheet("id", [])
