"""Scored results open under a label, by the scoring that is meant, unless they are stale."""

import orjson
import pytest
from scored_results import results_of, write_scores

from packkit.base.append_log import log_line, read_log
from packkit.base.errors import FormatError, InputError
from packkit.infimed.evaluation.scored_results import open_all, open_scored


def test_a_judge_without_verdicts_is_none(tmp_path):
    results = results_of(tmp_path / "a", {"slake": "rr"})
    write_scores(results, {"slake": "ff"}, judge="typo")
    assert open_scored(str(results.folder)).scoring == "strict+typo"
    write_scores(results, {"slake": "rf"}, judge="m1")
    assert open_scored(str(results.folder)).scoring == "strict+m1"
    assert open_scored(str(results.folder), "strict+typo").scoring == "strict+typo"
    write_scores(results, {"slake": "rw"})
    with pytest.raises(InputError, match=r"scoring must name one of strict, strict\+m1"):
        open_scored(str(results.folder))


def test_results_open_under_their_label(tmp_path, monkeypatch):
    results = results_of(tmp_path / "x=y", {"slake": "r"})
    with pytest.raises(InputError, match="holds no scores: score the results first"):
        open_scored(str(results.folder))
    write_scores(results, {"slake": "r"}, judge="org/gpt-4.1")
    assert open_scored(f"1+2={results.folder}").label == "1+2"
    assert open_scored(str(results.folder)).scoring == "strict+org%2Fgpt-4.1"
    monkeypatch.chdir(results.folder)
    assert open_scored(".").label == "x=y"
    write_scores(results, {"slake": "w"})
    with pytest.raises(InputError, match=r"scoring must name one of strict, strict\+org%2Fgpt-4.1"):
        open_scored(".")
    assert open_scored(".", "strict").scores.accuracy("slake") == 0
    file = results.scores_file("strict")
    assert open_scored(str(file)).scores.accuracy("slake") == 0
    assert [open_scored(name).label for name in (str(file), f"A={file}")] == ["x=y", "A"]
    with pytest.raises(InputError, match="has no scoring other, only strict"):
        open_scored(".", "other")


def test_labels_tell_results_apart(tmp_path):
    for folder in (tmp_path / "1" / "results", tmp_path / "2" / "results"):
        write_scores(results_of(folder, {"slake": "r"}), {"slake": "r"})
    names = [str(tmp_path / number / "results") for number in "12"]
    with pytest.raises(InputError, match="2 results have the label results"):
        open_all(names)
    assert [results.label for results in open_all([names[0], f"b={names[1]}"])] == ["results", "b"]
    with pytest.raises(InputError, match="no results"):
        open_all([])


def test_stale_scores_are_refused(tmp_path):
    results = results_of(tmp_path / "r", {"slake": "rw"})
    write_scores(results, {"slake": "rw"})
    opened = open_scored(str(results.folder))
    path = results.verdicts_file("strict")
    path.write_bytes(path.read_bytes().replace(b'"right"', b'"wrong"'))
    with pytest.raises(FormatError, match="not those that the scores count: score again"):
        opened.verdicts()
    write_scores(results, {"slake": "wr"})
    moved = path.read_bytes()
    write_scores(results, {"slake": "rw"})
    path.write_bytes(moved)
    with pytest.raises(FormatError, match="not those that the scores count: score again"):
        opened.verdicts()
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="not those that the scores count: score again"):
        opened.verdicts()
    records = [record for _, record in read_log(results.answers_file, ["benchmark"])]
    changed = orjson.loads(orjson.dumps(records).replace(b"says q1", b"says so"))
    results.answers_file.write_bytes(b"".join(map(log_line, changed)))
    with pytest.raises(InputError, match="score the results again"):
        open_scored(str(results.folder))
