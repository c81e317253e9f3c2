"""Scores come from saved answers; a judge decides on open ones, and its failures stay visible."""

import pytest
from judged_results import NUMBER, POLICY, judged, mixed, number_of, outcomes, verdict_on
from loopback_server import serving
from result_folders import answered, fill, question
from scripted_judge import ScriptedJudge

from packkit.base.errors import InputError
from packkit.infimed.chat import OpenAIChat
from packkit.infimed.evaluation.results import scoring_name
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scoring import JudgeFailuresError, ScoreConfig, score
from packkit.infimed.evaluation.verdicts import read_verdicts


def test_open_answers_alone_go_to_the_judge(tmp_path):
    results = fill(tmp_path, mixed())
    with serving(lambda request: verdict_on(number_of(request) % 2 == 0)) as server:
        scores = judged(results, server)
    assert sorted(number_of(entry.request) for entry in server.log) == list(range(8))
    decided = outcomes(results)
    assert {key: decided[key] for key in "yck"} == dict.fromkeys("yck", "right")
    assert [decided[str(number)] for number in range(8)] == ["right", "wrong"] * 4
    rad = scores.benchmarks["vqa-rad"]
    assert (rad.open.n, rad.open.right, rad.closed.n, rad.closed.right) == (8, 4, 1, 1)
    assert scores.method.judge == "j"
    assert ScoreFile.read(results.scores_file("strict+j")) == scores


@pytest.mark.parametrize("scorer", ["strict", "medevalkit"])
def test_a_reply_without_an_answer_is_not_judged(tmp_path, scorer):
    results = fill(tmp_path, [(question("0"), ""), (question("1"), "aorta 1")])
    with serving(lambda request: verdict_on(True)) as server:
        scores = judged(results, server, scorer)
    assert len(server.log) == 1
    assert (scores.benchmarks["vqa-rad"].total.n, scores.benchmarks["vqa-rad"].total.right) == (
        2,
        1,
    )


def test_an_answer_that_was_refused_counts_as_one_that_says_nothing(tmp_path):
    asked = question("0", "yes_no", "yes")
    results = fill(tmp_path, [(asked, answered(asked, "", "refused"))])
    assert score(results, ScoreConfig()).benchmarks["vqa-rad"].total.unparsed == 1


def test_missing_answers_leave_no_scores_behind(tmp_path):
    first, second = question("0", "yes_no", "yes"), question("1", "yes_no", "yes")
    results = fill(tmp_path, [(first, "yes"), (second, answered(second, "", "http_error"))])
    words = r"vqa-rad: 1 of 2 questions have no answer \(1: http_error\): run the benchmarks again"
    with pytest.raises(InputError, match=words):
        score(results, ScoreConfig())
    assert results.scorings() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency must be at least 1, got 0"),
        ({"concurrency": 4097}, "concurrency must be at most 4096, got 4097"),
        ({"max_tokens": 2**24 + 1}, "max_tokens must be at most 16777216"),
        ({"seed": 2**63}, "seed must be at most"),
        ({"max_requests": 2**53}, "max_requests must be at most"),
        ({"max_judge_failures": 1.5}, "max_judge_failures must be in \\[0, 1\\], got 1.5"),
        ({"base_url": "http://x"}, "base_url needs a judge, got http://x alone"),
        ({"scorer": "lenient"}, "scorer must be one of"),
        ({"judge": ""}, "judge must name a model"),
    ],
)
def test_options_out_of_range_are_named(tmp_path, options, message):
    results = fill(tmp_path, mixed())
    with pytest.raises(InputError, match=message):
        score(results, ScoreConfig(**options))


def test_scores_of_several_judges_stand_side_by_side(tmp_path):
    results = fill(tmp_path, mixed())
    with serving(lambda request: verdict_on(True)) as server:
        for model in ("a/b", "a_b"):
            judge = OpenAIChat(model, base_url=server.url, api_key="k")
            score(results, ScoreConfig(judge=model), judge=judge, policy=POLICY)
    score(results, ScoreConfig())
    assert results.scorings() == ["strict", "strict+a%2Fb", "strict+a_b"]
    assert results.scores_file(scoring_name("strict", "a/b")).exists()


@pytest.mark.parametrize("failures", [1, 2])
def test_one_of_a_hundred_judgements_may_fail(tmp_path, failures):
    results = fill(tmp_path, mixed(100))

    def script(messages):
        number = int(NUMBER.search(messages[-1]["content"])[1])
        return "perhaps" if number < failures else '{"correct": true}'

    judge = ScriptedJudge("j", script)
    if failures == 1:
        assert score(results, ScoreConfig(judge="j"), judge=judge).method.judge == "j"
    else:
        with pytest.raises(JudgeFailuresError, match="2 of 100 answers"):
            score(results, ScoreConfig(judge="j"), judge=judge)


def test_scores_of_several_seeds_stand_side_by_side(tmp_path):
    results = fill(tmp_path, mixed())
    for seed in (0, 1):
        assert score(results, ScoreConfig(scorer="medevalkit", seed=seed)).method.seed == seed
    assert score(results, ScoreConfig(seed=1)).method.seed is None
    assert results.scorings() == ["medevalkit", "medevalkit-seed1", "strict"]


def test_half_a_surrogate_pair_in_a_reason_is_no_trouble(tmp_path):
    results = fill(tmp_path, [(question("0"), "the aorta")])
    judge = ScriptedJudge("j", lambda messages: '{"reason": "\\ud83d half", "correct": true}')
    assert score(results, ScoreConfig(judge="j"), judge=judge).benchmarks["vqa-rad"].open.right == 1
    (verdict,) = read_verdicts(results.verdicts_file("strict+j"))
    assert verdict.reason == "? half"
