"""Samples in, scores out: each once, in one state, paid for once, within its limits."""

import json
from collections import Counter

import pytest
from loopback_server import failure, reply, serving
from packing_inputs import write_lines

from packkit.base.errors import InputError, LockedError
from packkit.infimed.chat import AccessError, AnswerLog, OpenAIChat
from packkit.infimed.curation import AssessConfig, assess, estimate, read_assessments

PRICES = {"price_in": 1.0, "price_out": 4.0}


@pytest.fixture
def run(tmp_path):
    """Runs `assess` against a server; returns the report and the results by case."""

    def start(server, inputs, *, out="scores.jsonl", **options):
        config = AssessConfig(model="m", base_url=server.url, **options)
        report = assess(inputs, tmp_path / out, config)
        server.settle()
        lines = read_assessments(tmp_path / out)
        return report, {f"{line.dataset}/{line.id}": line for line in lines}

    return start


def sums(results):
    return (
        sum(result.attempts for result in results),
        sum(result.prompt_tokens for result in results),
        sum(result.completion_tokens for result in results),
    )


def test_every_sample_ends_in_one_state_and_all_of_it_adds_up(tmp_path, cases, run, grade):
    planned = {
        0: [failure(500)],
        1: [reply("no JSON", usage=(11, 3))],
        2: [reply("no JSON", usage=(11, 3))] * 9,
        3: [reply("I'm sorry, I can't.", usage=(10, 5))],
        4: [reply(None, refusal="No.", usage=(9, 1))],
        5: [failure(400, "Invalid image")],
        6: [reply("x" * 400, cut_after=20)],
        7: [reply('{"accuracy": ', finish_reason="length", usage=(10, 50))],
    }
    with serving(grade(planned)) as server:
        report, results = run(server, [cases(tmp_path / "a.jsonl", range(12))], **PRICES)
    states = [results[f"a/case/{number}"].state for number in range(12)]
    expected = ["ok", "ok", "parse_error", "refused", "refused", "http_error"]
    assert states == expected + ["ok"] * 6
    assert (report.data_sets[0].drawn, report.data_sets[0].left) == (12, 0)
    assert report.data_sets[0].states == Counter(states)
    assert sums(results.values()) == (len(server.log), *server.usage)
    total = report.total
    assert (total.attempts, total.prompt_tokens) == (len(server.log), server.usage[0])
    cost = (server.usage[0] + 4 * server.usage[1]) / 1e6
    assert sum(result.cost for result in results.values()) == pytest.approx(cost)
    assert report.spent.cost == pytest.approx(cost) == total.cost
    assert report.failed == 1
    assert results["a/case/2"].reply == "no JSON" and results["a/case/2"].scores == {}
    odd = results["a/case/9"]
    assert (odd.scores["overall"], odd.comments["clarity"]) == (5, "so clarity")
    assert (odd.has_image, odd.scores["imaging_relevance"]) == (False, 1)
    even = results["a/case/8"]
    assert (even.has_image, even.scores["imaging_relevance"]) == (True, 4)
    assert (even.source, even.position, even.model) == ("a.jsonl", 8, "m")
    json.dumps(report.to_dict(), default=str)


def test_what_failed_is_asked_again_and_what_is_answered_never(tmp_path, cases, run, grade):
    planned = {
        1: [reply("no JSON", usage=(10, 2))] * 3,
        2: [reply(None, refusal="No.", usage=(10, 2))],
        3: [failure(400, "Invalid image")],
    }
    data = cases(tmp_path / "a.jsonl", range(6))
    with serving(grade(planned)) as server:
        first, _ = run(server, [data], **PRICES)
        assert first.data_sets[0].states == {
            "ok": 3, "parse_error": 1, "refused": 1, "http_error": 1,
        }  # fmt: skip
        sent = len(server.log)
        second, results = run(server, [data], **PRICES)
        assert second.data_sets[0].states == {"ok": 6}
        assert len(server.log) == sent + 3
        third, again = run(server, [data], **PRICES)
        assert len(server.log) == sent + 3
    assert again == results
    assert results["a/case/1"].attempts == 4 and results["a/case/3"].attempts == 2
    # Of what failed nothing is forgotten.
    assert sums(results.values()) == (len(server.log), *server.usage)
    assert third.spent.attempts == 0
    assert third.total.cost == pytest.approx(first.spent.cost + second.spent.cost)


def test_equal_samples_are_paid_for_once(tmp_path, run, grade):
    record = {"content": "case 1: a nodule."}
    twice = [{"id": "a", **record}, {"id": "b", **record}]
    first = str(write_lines(tmp_path / "one.jsonl", twice))
    second = str(write_lines(tmp_path / "two.jsonl", [{"id": "c", **record}]))
    with serving(grade()) as server:
        report, results = run(server, [first], **PRICES)
        assert len(server.log) == 1
        assert sorted(results) == ["one/a", "one/b"]
        report, results = run(server, [first, second], **PRICES)
        assert len(server.log) == 1
    assert sorted(results) == ["one/a", "one/b", "two/c"]
    assert len({json.dumps(result.scores) for result in results.values()}) == 1
    assert sums(results.values()) == (1, *server.usage)
    assert [data_set.states for data_set in report.data_sets] == [{"ok": 2}, {"ok": 1}]


def test_limits_hold_over_runs_and_say_what_is_left(tmp_path, cases, run, grade):
    data = cases(tmp_path / "a.jsonl", range(20))
    with serving(grade({3: [failure(500)]})) as server:
        report, _ = run(server, [data], max_requests=8)
        assert (len(server.log), report.reached) == (8, "max_requests")
        assert report.data_sets[0].left + sum(report.data_sets[0].states.values()) == 20
        run(server, [data], max_requests=8)
        assert len(server.log) == 8
        report, results = run(server, [data], max_requests=30)
    assert report.reached is None and report.data_sets[0].states == {"ok": 20}
    assert sums(results.values()) == (len(server.log), *server.usage) and len(server.log) == 21


def test_cost_is_limited_over_runs(tmp_path, cases, run, grade):
    data = cases(tmp_path / "a.jsonl", range(30))
    options = {"max_tokens": 200, **PRICES}
    with serving(grade()) as server:
        for limit in (0.01, 0.02, 0.02):
            report, results = run(server, [data], max_cost=limit, **options)
            spent = (server.usage[0] + 4 * server.usage[1]) / 1e6
            assert report.reached == "max_cost" and report.data_sets[0].left > 0
            assert sum(result.cost for result in results.values()) == pytest.approx(spent)
            # A request costs 0.0014 and is taken to cost 0.0045 at most.
            assert limit - 0.0045 < spent <= limit


def test_dry_run_sends_and_writes_nothing(tmp_path, cases, run, grade):
    data = [cases(tmp_path / "a.jsonl", range(10)), cases(tmp_path / "b.jsonl", range(100, 104))]
    out = tmp_path / "scores.jsonl"
    with serving(grade()) as server:
        config = AssessConfig(model="m", base_url=server.url, samples=8, **PRICES)
        whole = estimate(data, out, config)
        assert (server.log, out.exists()) == ([], False)
        run(server, data[:1], samples=8)
        size, sent = out.stat().st_size, len(server.log)
        rest = estimate(data, out, config)
        assert (len(server.log), out.stat().st_size) == (sent, size)
    assert (whole.samples, whole.requests, whole.answered) == ({"a": 8, "b": 4}, 12, 0)
    assert (rest.requests, rest.answered) == (4, 8)
    assert whole.completion_tokens == 12 * 400
    assert whole.cost == pytest.approx((whole.prompt_tokens + 4 * 12 * 400) / 1e6)
    assert 12 * 1000 < whole.prompt_tokens < 12 * 2000


def test_two_runs_do_not_write_to_one_file(tmp_path, cases, run, grade):
    data = cases(tmp_path / "a.jsonl", range(2))
    with serving(grade()) as server, AnswerLog(tmp_path / "scores.jsonl", ["request"]):
        with pytest.raises(LockedError):
            run(server, [data])
        assert server.log == []


def test_wrong_key_keeps_what_came_before(tmp_path, cases, run, grade):
    data = cases(tmp_path / "a.jsonl", range(6))
    scores = grade()
    script = lambda request: failure(401, "bad key") if len(server.log) == 2 else scores(request)  # noqa: E731
    with serving(script) as server:
        with pytest.raises(AccessError, match="bad key"):
            run(server, [data], concurrency=1)
        sent = len(server.log)
        before = read_assessments(tmp_path / "scores.jsonl")
        assert sums(before)[0] == sent == 3
        run(server, [data])
    assert len(server.log) == sent + 6 - sum(line.state == "ok" for line in before)


def test_unreadable_samples_are_reported(tmp_path, run, grade):
    records = [{"content": "case 1: a nodule."}, {"content": 7}, b"no JSON"]
    data = str(write_lines(tmp_path / "a.jsonl", records))
    with serving(grade()) as server:
        report, _ = run(server, [data])
    (data_set,) = report.data_sets
    assert (data_set.read, data_set.drawn) == (3, 1)
    assert data_set.unreadable == {"invalid_json": 1, "invalid_sample": 1}
    assert len(data_set.examples) == 2


def test_results_of_another_kind_are_not_written_over(tmp_path, cases, run, grade):
    data = cases(tmp_path / "a.jsonl", range(2))
    before = (tmp_path / "a.jsonl").read_bytes()
    with serving(grade()) as server:
        with pytest.raises(ValueError, match="line 1: is damaged: it has no checksum"):
            run(server, [data], out="a.jsonl")
        assert server.log == []
    assert (tmp_path / "a.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_cost": 1.0}, "max_cost needs .* price_in and price_out"),
        ({"price_in": 1.0}, "together"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"seed": -1}, "seed"),
        ({"samples": 2**53}, "samples must be at most"),
        ({"concurrency": 10**8}, "concurrency must be at most 4096, got 100000000"),
        ({"max_tokens": 10**11}, "max_tokens must be at most 16777216, got 100000000000"),
        ({"max_requests": 0}, "max_requests"),
        ({"price_in": -1.0, "price_out": 1.0}, "price_in must be at least 0 and finite, got -1.0"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(InputError, match=words):
        AssessConfig(model="m", **options)


def test_judge_must_be_the_one_that_results_name(tmp_path, cases):
    judge = OpenAIChat("other", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(InputError, match="must be m, got other"):
        assess([], tmp_path / "scores.jsonl", AssessConfig(model="m"), judge=judge)
