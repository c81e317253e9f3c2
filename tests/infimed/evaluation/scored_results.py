"""Folders of scored results, whose verdicts are given and not found by a scorer."""

from dataclasses import fields, replace

from result_folders import fill, question

from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.results import Results, answers_hash, scoring_name
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scored_results import open_scored
from packkit.infimed.evaluation.tallies import tally_verdicts
from packkit.infimed.evaluation.verdicts import Verdict, write_verdicts

OUTCOMES = {"r": "right", "w": "wrong", "u": "unparsed", "f": "judge_failed"}


def results_of(folder, outcomes, *, questions=None, replies=None, **settings):
    """Writes questions and answers: `outcomes` is benchmark -> a letter of OUTCOMES a question."""
    said = replies or {}
    asked = questions or questions_of(outcomes)
    pairs = [(one, said.get(one.key, f"says {one.key}")) for one in asked]
    return fill(folder, pairs, **settings)


def questions_of(outcomes):
    """Questions of every benchmark: those with an even number are open."""
    return [
        question(
            f"q{number}",
            "closed" if number % 2 else "open",
            benchmark=name,
            groups={"modality": "CT" if number < 2 else "MR"},
        )
        for name, letters in outcomes.items()
        for number in range(len(letters))
    ]


def write_scores(results, outcomes, *, scorer="strict", judge=None, guess=False, **changes):
    """Writes verdicts and scores of what `results_of` wrote."""
    by_benchmark = {name: results.questions(name) for name in outcomes}
    verdicts = {
        name: [
            Verdict(
                benchmark=name,
                question=one.key,
                outcome=OUTCOMES[letter],
                answer=None if letter == "u" else f"taken {one.key}",
                by="rules" if judge is None else "judge",
                is_guess=guess,
                reason="" if judge is None else f"reason {one.key}",
            )
            for one, letter in zip(asked, outcomes[name], strict=True)
        ]
        for name, asked in by_benchmark.items()
    }
    given = {
        "model": results.settings().model,
        "scorer": scorer,
        "scorer_version": "1",
        "seed": 0,
        "judge": judge,
        "judge_prompt_version": None if judge is None else "1",
        "prompt_version": "1",
        "answers": answers_hash(results.answers()),
        "questions": {name: one.hash for name, one in results.settings().benchmarks.items()},
        "benchmarks": {
            name: tally_verdicts(by_benchmark[name], verdicts[name]) for name in outcomes
        },
        **changes,
    }
    assert set(given) == {field.name for field in fields(ScoreFile)}
    name = scoring_name(scorer, judge)
    write_verdicts(results.verdicts_file(name), [one for of in verdicts.values() for one in of])
    ScoreFile(**given).write(results.scores_file(name))
    return name


def scored(folder, outcomes, *, label=None, questions=None, replies=None, model="m", **scoring):
    """Writes a folder of scored results, and opens it."""
    results_of(folder, outcomes, questions=questions, replies=replies, model=model)
    name = write_scores(Results(folder), outcomes, **scoring)
    return replace(open_scored(str(folder), name), label=label or folder.name)


def everywhere(letters):
    """The same outcomes on each of the seven benchmarks."""
    return dict.fromkeys(BENCHMARKS, letters)
