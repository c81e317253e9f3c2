"""The page of cases needs nothing else, shows text as text, and shows the cases asked for."""

import re
import sys
from base64 import b64decode
from html.parser import HTMLParser

import orjson
import pytest
from packing_inputs import png
from result_folders import answered, question
from scored_results import everywhere, scored

from packkit.base.errors import FormatError, InputError, MissingExtraError
from packkit.infimed.evaluation.benchmarks import read_benchmark
from packkit.infimed.evaluation.cases import CasesConfig, write_cases

HOSTILE = "</div></script><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} & \"'"
LINK = '<a href="https://evil.example/x">https://evil.example</a> javascript:alert(1)'
# Two where both are right, three only A, one only B, two none.
A, B = "rrrrrwwu", "rrwwwrww"


class Page(HTMLParser):
    """Tags, and of each case its attributes, its images and its texts by class."""

    def __init__(self, path):
        super().__init__()
        self.html = path.read_text("utf-8")
        self.tags, self.cases, self._class = [], [], None
        self.feed(self.html)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        if tag == "section":
            self.cases.append({**values, "images": [], "texts": []})
        elif tag == "img" and self.cases:
            self.cases[-1]["images"].append(values["src"])
        self._class = values.get("class", "")

    def handle_endtag(self, tag):
        self._class = None

    def handle_data(self, data):
        if self._class and "text" in self._class and self.cases:
            self.cases[-1]["texts"].append(data)

    @property
    def keys(self):
        """Questions that are shown; their text is their key."""
        return [case["texts"][0] for case in self.cases]


def slake(folder, texts, *, gold="aorta", image=png):
    """Writes a copy of SLAKE, and returns its questions."""
    (folder / "imgs").mkdir(parents=True)
    records = []
    for number, text in enumerate(texts):
        (folder / "imgs" / f"{number}.png").write_bytes(image(number))
        records.append(
            {
                "qid": number,
                "img_name": f"{number}.png",
                "question": text,
                "answer": gold,
                "answer_type": "OPEN",
                "q_lang": "en",
            }
        )
    (folder / "test.json").write_bytes(orjson.dumps(records))
    return read_benchmark("slake", folder)


def two(tmp_path, *, a=A, b=B, texts=None, gold="aorta", **options):
    """Two scored results on one copy of SLAKE, which stands where they name it."""
    questions = slake(
        tmp_path / "a" / "slake", texts or [f"k{n}" for n in range(len(a))], gold=gold
    )
    (tmp_path / "b").mkdir()
    return [
        scored(
            tmp_path / name,
            {"slake": outcomes},
            label=options.get(f"label_{name}", name.upper()),
            questions=questions,
            replies=options.get("replies", {}),
            judge=options.get("judge"),
        )
        for name, outcomes in (("a", a), ("b", b))
    ]


def page_of(results, tmp_path, **options):
    path = tmp_path / "cases.html"
    report = write_cases(*results, path, CasesConfig(**options))
    assert report.bytes == path.stat().st_size
    return report, Page(path)


def test_case_holds_all_that_there_is_to_see(tmp_path):
    results = two(tmp_path, a="r", b="w", judge="j", replies={"0": "it is\nthe aorta"})
    report, page = page_of(results, tmp_path)
    assert report.cases == report.candidates == {"a": 1, "b": 0, "both": 0, "neither": 0}
    (case,) = page.cases
    assert (case["data-who"], case["data-benchmark"]) == ("a", "slake")
    assert len(case["images"]) == 1 and case["images"][0].startswith("data:image/png;base64,")
    reply = ["it is\nthe aorta", "taken 0", "reason 0"]
    assert case["texts"] == ["k0", "aorta", *reply, *reply]
    assert page.html.index("A: right") < page.html.index("B: wrong")
    assert "scorer strict 1 (seed 0), judge j (prompt 1)" in page.html


def test_answers_that_say_nothing_or_not_all_are_noted(tmp_path):
    lines = [("", "refused", {}), ("", "ok", {}), ("half an", "ok", {"is_cut": True})]
    asked = [question(str(number), benchmark="slake") for number in range(3)]
    replies = {
        image_question.key: answered(image_question, text, state, **fields)
        for image_question, (text, state, fields) in zip(asked, lines, strict=True)
    }
    _, page = page_of(two(tmp_path, a="uuu", b="uuu", replies=replies), tmp_path)
    notes = re.findall(r'<p class="note">(.*)</p>', page.html)
    assert notes[::2] == notes[1::2]
    assert notes[::2] == [
        "No answer: refused",
        "The answer is empty.",
        "Cut off at the limit of tokens.",
    ]
    assert page.html.count("nothing that can be told") == 6


@pytest.mark.parametrize(
    ("who", "keys"),
    [
        ("all", range(8)),
        ("both", range(2)),
        ("a", range(2, 5)),
        ("b", range(5, 6)),
        ("neither", range(6, 8)),
    ],
)
def test_who_is_right_decides_what_is_shown(tmp_path, who, keys):
    report, page = page_of(two(tmp_path), tmp_path, who=who)
    assert page.keys == [f"k{number}" for number in keys]
    assert sum(report.candidates.values()) == sum(report.cases.values()) == len(keys)
    assert {case["data-who"] for case in page.cases} == (
        {"a", "b", "both", "neither"} if who == "all" else {who}
    )
    counts = re.findall(r'value="(\w+)"(?: checked)?> [^(]*\((\d+)\)', page.html)
    assert dict(counts) == {"all": str(len(keys))} | {
        name: str(count) for name, count in report.cases.items()
    }


def test_seed_decides_which_and_fewer_are_among_more(tmp_path):
    results = two(tmp_path, a="r" * 30, b="w" * 30)
    few, more, again, other = (
        page_of(results, tmp_path, cases=count, seed=seed)[1].keys
        for count, seed in ((5, 0), (15, 0), (15, 0), (15, 1))
    )
    assert len(few) == 5 and len(more) == 15
    assert set(few) < set(more)
    assert more == again != other
    # In the order of the benchmark.
    assert more == sorted(more, key=lambda key: int(key[1:]))


@pytest.mark.parametrize("text", [HOSTILE, LINK, "<!-- ]]> -->", "ünï 胸部 ​ end", "a\n\n  b\t<b>"])
def test_text_is_shown_as_text(tmp_path, text):
    results = two(
        tmp_path, a="r", b="w", texts=[text], gold=text, replies={"0": text}, label_a=text
    )
    _, page = page_of(results, tmp_path)
    (case,) = page.cases
    assert case["texts"] == [text, text, text, "taken 0", text, "taken 0"]
    tags = [tag for tag, _ in page.tags]
    assert (tags.count("script"), tags.count("style"), tags.count("img")) == (1, 1, 1)
    attributes = {name for _, values in page.tags for name in values}
    assert not {"onerror", "onclick", "href"} & attributes
    assert "49" not in re.sub(r"data:[^\"]*", "", page.html)


def test_page_stands_alone(tmp_path):
    _, page = page_of(two(tmp_path), tmp_path)
    code = re.sub(r"data:image/png;base64,[^\"]*", "", page.html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttp|sendBeacon", code)
    assert str(tmp_path) not in code
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "a", "object")]
    assert all(
        values[name].startswith("data:image/png;base64,")
        for _, values in page.tags
        for name in ("src", "srcset", "data", "action", "poster")
        if name in values
    )
    policy = next(values["content"] for _, values in page.tags if "http-equiv" in values)
    assert "default-src 'none'" in policy and "img-src data:" in policy


def test_filters_can_be_reached_by_keyboard(tmp_path):
    _, page = page_of(two(tmp_path), tmp_path)
    radios = [values for tag, values in page.tags if tag == "input" and values["type"] == "radio"]
    assert [values["value"] for values in radios] == ["all", "a", "b", "both", "neither"]
    options = [values["value"] for tag, values in page.tags if tag == "option"]
    assert options == ["all", "slake"]
    for tag, values in page.tags:
        if tag in ("input", "select", "option"):
            assert not {"tabindex", "disabled"} & values.keys()


def test_benchmark_that_has_moved_is_named(tmp_path):
    results = two(tmp_path)
    moved = (tmp_path / "a" / "slake").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="slake"):
        page_of(results, tmp_path)
    _, page = page_of(results, tmp_path, folders={"slake": moved})
    assert len(page.cases) == 8


@pytest.mark.parametrize(
    ("texts", "words"),
    [(["k0", "k1", "other"], "question 2: text: 'k2', 'other'"), (["k0"], "it is missing")],
)
def test_another_benchmark_is_refused(tmp_path, texts, words):
    results = two(tmp_path, a="rrr", b="www")
    slake(tmp_path / "other", texts)
    with pytest.raises(InputError, match=f"is not the slake that was asked, .*{words}"):
        page_of(results, tmp_path, folders={"slake": tmp_path / "other"})


def test_unreadable_image_is_an_error(tmp_path):
    results = two(tmp_path, a="r", b="w")
    slake(tmp_path / "other", ["k0"], image=lambda number: b"GIF89a no image")
    with pytest.raises(FormatError, match="question 0: "):
        page_of(results, tmp_path, folders={"slake": tmp_path / "other"})


def test_what_cannot_be_shown_is_said(tmp_path):
    results = two(tmp_path, a="rr", b="rr")
    with pytest.raises(InputError, match="A and B have no case of the kind 'a'"):
        page_of(results, tmp_path, who="a")
    with pytest.raises(InputError, match="no pair of answers to mmmu, only slake"):
        page_of(results, tmp_path, benchmarks=["mmmu"])
    other = scored(tmp_path / "c", everywhere("r"), scorer="medevalkit")
    with pytest.raises(InputError, match="scorer: strict, medevalkit"):
        page_of([results[0], other], tmp_path)
    assert not (tmp_path / "cases.html").exists()


@pytest.mark.parametrize("option", [{"cases": 0}, {"seed": -1}, {"who": "c"}])
def test_options_are_checked(option):
    with pytest.raises(InputError, match=next(iter(option))):
        CasesConfig(**option)


def test_missing_jinja2_names_its_extra(tmp_path, monkeypatch):
    results = two(tmp_path, a="r", b="w")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"packkit\[eval\]"):
        page_of(results, tmp_path)


def test_each_case_has_its_own_image(tmp_path):
    _, page = page_of(two(tmp_path), tmp_path)
    shown = [b64decode(case["images"][0].split(",")[1]) for case in page.cases]
    assert shown == [png(number) for number in range(8)]
