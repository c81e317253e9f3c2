"""Files of ratings are what a sheet saves, or an error that names the place."""

import json

import pytest
from review_inputs import rating

from packkit.base.errors import FormatError, InputError
from packkit.infimed.curation.ratings import read_all_ratings, read_ratings
from packkit.infimed.curation.rubric import IMAGING_RELEVANCE

FILE = {"sheet": "s1", "rater": "Ada", "ratings": [rating(1), {**rating(2, 3), "comment": "dim"}]}


@pytest.fixture
def saved(tmp_path):
    def write(record, name="ratings.json"):
        path = tmp_path / name
        path.write_text(json.dumps(record))
        return path

    return write


def without(name):
    return {key: value for key, value in rating(1)["scores"].items() if key != name}


def changed(**fields):
    return {**FILE, "ratings": [rating(0), {**rating(1), **fields}]}


def test_ratings_are_read(saved):
    ratings = read_ratings(saved(FILE))
    assert (ratings.sheet, ratings.rater) == ("s1", "Ada")
    assert {key: scores["overall"] for key, scores in ratings.scores.items()} == {
        f"{1:016x}": 4,
        f"{2:016x}": 3,
    }
    assert ratings.comments == {f"{2:016x}": "dim"}


def test_imaging_relevance_may_be_missing(saved):
    ratings = read_ratings(saved(changed(scores=without(IMAGING_RELEVANCE))))
    assert IMAGING_RELEVANCE not in ratings.scores[f"{1:016x}"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], "must be an object with sheet, rater, ratings"),
        ({"sheet": "s", "rater": "a"}, "field ratings is missing"),
        ({**FILE, "score": 1}, "field score is unknown"),
        ({**FILE, "rater": " "}, "rater must be a text that is not empty"),
        ({**FILE, "sheet": 3}, "sheet must be a text"),
        ({**FILE, "ratings": {}}, "ratings must be a list"),
        ({**FILE, "ratings": [3]}, r"ratings\[0\]: must be an object with key"),
        (changed(key=1), r"ratings\[1\]: key must be a text, got 1"),
        (changed(comment=None), r"ratings\[1\]: comment must be a text"),
        (changed(scores=[]), r"ratings\[1\]: scores must be an object"),
        (changed(scores=without("clarity")), r"ratings\[1\]: scores.clarity must be 1 to 5"),
        (changed(scores=rating(1, overall=6)["scores"]), r"scores.overall must be 1 to 5, got 6"),
        (changed(scores=rating(1, overall=True)["scores"]), "overall must be 1 to 5, got True"),
        (changed(scores=rating(1, overall=4.0)["scores"]), r"overall must be 1 to 5, got 4\.0"),
        (changed(scores=rating(1, beauty=5)["scores"]), "scores.beauty is not a criterion"),
        ({**FILE, "ratings": [rating(1), rating(1)]}, r"ratings\[1\]: key 0+1 is given twice"),
    ],
)
def test_anything_else_is_an_error(saved, record, words):
    with pytest.raises(FormatError, match=rf"ratings\.json: .*{words}"):
        read_ratings(saved(record))


def test_other_bytes_are_an_error(tmp_path):
    path = tmp_path / "ratings.json"
    path.write_bytes(b'{"sheet": "\xff"}')
    with pytest.raises(FormatError, match=r"ratings\.json: not JSON"):
        read_ratings(path)


def test_a_rater_has_one_file(saved):
    ada, bo = saved(FILE, "one.json"), saved({**FILE, "rater": "Bo"}, "two.json")
    assert [ratings.rater for ratings in read_all_ratings([ada, bo])] == ["Ada", "Bo"]
    again = saved({**FILE, "sheet": "s2"}, "again.json")
    with pytest.raises(InputError, match=r"again\.json: .*one\.json has ratings of 'Ada' already"):
        read_all_ratings([ada, bo, again])
