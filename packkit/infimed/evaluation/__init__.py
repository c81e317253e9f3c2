"""Seven medical benchmarks: how a model's answer becomes a number in a table.

1. `benchmarks` reads every record of a benchmark as a `Question` with its gold answer.
2. `answering` puts the question to a model; `run` keeps the reply in a folder, the `Results`.
3. A scorer of `scorers` reads the reply: its `Reading` is what the reply is taken to say.
4. A judge, if there is one, decides on open questions; each `Judgement` is kept.
5. The `Verdict` says what the rules or the judge decided: right, wrong, unparsed, judge_failed.
6. A `Tally` counts verdicts, a `ScoreFile` keeps the tallies, and a `Table` compares score files.

Names are loaded on first use (PEP 562), so that a step loads only the packages that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packkit.base.lazy import lazy_names

if TYPE_CHECKING:
    from packkit.infimed.evaluation.answering import Answerer as Answerer
    from packkit.infimed.evaluation.answering import open_answerer as open_answerer
    from packkit.infimed.evaluation.benchmarks import BENCHMARKS as BENCHMARKS
    from packkit.infimed.evaluation.benchmarks import TITLES as TITLES
    from packkit.infimed.evaluation.benchmarks import read_benchmark as read_benchmark
    from packkit.infimed.evaluation.cases import CasesConfig as CasesConfig
    from packkit.infimed.evaluation.cases import CasesReport as CasesReport
    from packkit.infimed.evaluation.cases import write_cases as write_cases
    from packkit.infimed.evaluation.comparison import Comparison as Comparison
    from packkit.infimed.evaluation.comparison import compare as compare
    from packkit.infimed.evaluation.figure import plot_table as plot_table
    from packkit.infimed.evaluation.questions import Question as Question
    from packkit.infimed.evaluation.results import AnswerRecord as AnswerRecord
    from packkit.infimed.evaluation.results import Results as Results
    from packkit.infimed.evaluation.run import AnswersReport as AnswersReport
    from packkit.infimed.evaluation.run import parse_benchmarks as parse_benchmarks
    from packkit.infimed.evaluation.run import run_benchmarks as run_benchmarks
    from packkit.infimed.evaluation.score_file import ScoreFile as ScoreFile
    from packkit.infimed.evaluation.scored_results import ScoredResults as ScoredResults
    from packkit.infimed.evaluation.scored_results import open_all as open_all
    from packkit.infimed.evaluation.scored_results import open_scored as open_scored
    from packkit.infimed.evaluation.scorers import Reading as Reading
    from packkit.infimed.evaluation.scorers import Scorer as Scorer
    from packkit.infimed.evaluation.scorers import scorer_named as scorer_named
    from packkit.infimed.evaluation.scoring import ScoreConfig as ScoreConfig
    from packkit.infimed.evaluation.scoring import score as score
    from packkit.infimed.evaluation.tables import Table as Table
    from packkit.infimed.evaluation.tallies import BenchmarkTallies as BenchmarkTallies
    from packkit.infimed.evaluation.tallies import Tally as Tally
    from packkit.infimed.evaluation.verdicts import Verdict as Verdict
    from packkit.infimed.evaluation.verdicts import read_verdicts as read_verdicts

_MODULES = {
    "answering": ("Answerer", "open_answerer"),
    "benchmarks": ("BENCHMARKS", "TITLES", "read_benchmark"),
    "cases": ("CasesConfig", "CasesReport", "write_cases"),
    "comparison": ("Comparison", "compare"),
    "figure": ("plot_table",),
    "questions": ("Question",),
    "results": ("AnswerRecord", "Results"),
    "run": ("AnswersReport", "parse_benchmarks", "run_benchmarks"),
    "score_file": ("ScoreFile",),
    "scored_results": ("ScoredResults", "open_all", "open_scored"),
    "scorers": ("Reading", "Scorer", "scorer_named"),
    "scoring": ("ScoreConfig", "score"),
    "tables": ("Table",),
    "tallies": ("BenchmarkTallies", "Tally"),
    "verdicts": ("Verdict", "read_verdicts"),
}

__all__, __getattr__, __dir__ = lazy_names(__name__, _MODULES)
