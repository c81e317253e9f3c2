"""Folders of scored results, whose verdicts are given and not found by a scorer."""

from dataclasses import replace
from itertools import chain

from result_folders import fill, question

from packkit.infimed.evaluation.benchmarks import BENCHMARKS
from packkit.infimed.evaluation.method import Method
from packkit.infimed.evaluation.results import Results, answers_hash, scoring_name
from packkit.infimed.evaluation.score_file import ScoreFile
from packkit.infimed.evaluation.scored_results import open_scored
from packkit.infimed.evaluation.tallies import tally_verdicts
from packkit.infimed.evaluation.verdicts import Verdict, write_verdicts

OUTCOMES = {"r": "right", "w": "wrong", "u": "unparsed", "f": "judge_failed"}


def results_of(folder, outcomes, *, questions=None, replies=None, **settings):
    """Writes questions and answers: `outcomes` is benchmark -> a letter of OUTCOMES a question."""
    replies = replies or {}
    asked = questions or questions_of(outcomes)
    pairs = [(question, replies.get(question.key, f"says {question.key}")) for question in asked]
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
    questions = {name: results.questions(name) for name in outcomes}
    verdicts = {
        name: [
            Verdict(
                benchmark=name,
                question=asked.key,
                outcome=OUTCOMES[letter],
                answer=None if letter == "u" else f"taken {asked.key}",
                by="rules" if judge is None else "judge",
                is_guess=guess,
                reason="" if judge is None else f"reason {asked.key}",
            )
            for asked, letter in zip(questions[name], letters, strict=True)
        ]
        for name, letters in outcomes.items()
    }
    method = {
        "scorer": scorer,
        "scorer_version": "1",
        "seed": 0,
        "judge": judge,
        "judge_prompt_version": None if judge is None else "1",
        "prompt_version": "1",
        **changes,
    }
    name = scoring_name(scorer, judge)
    write_verdicts(results.verdicts_file(name), chain.from_iterable(verdicts.values()))
    scores = ScoreFile(
        model=results.settings().model,
        method=Method(**method),
        answers=answers_hash(results.answers()),
        questions={name: asked.hash for name, asked in results.settings().benchmarks.items()},
        benchmarks={
            benchmark: tally_verdicts(questions[benchmark], verdicts[benchmark])
            for benchmark in outcomes
        },
    )
    scores.write(results.scores_file(name))
    return name


def scored(folder, outcomes, *, label=None, questions=None, replies=None, model="m", **scoring):
    """Writes a folder of scored results, and opens it."""
    results_of(folder, outcomes, questions=questions, replies=replies, model=model)
    name = write_scores(Results(folder), outcomes, **scoring)
    return replace(open_scored(str(folder), name), label=label or folder.name)


def everywhere(letters):
    """The same outcomes on each of the seven benchmarks."""
    return dict.fromkeys(BENCHMARKS, letters)
