"""The quality of data sets: a language model and people score samples, and rules decide.

1. `sampling` draws samples of each data set, `prompt` makes a request of each.
2. `assessing` has a judge score them by the `rubric`, and `replies` reads the scores.
3. `assessment_log` keeps what came of each request, one line of `assessments` at a time.
4. `sheet` makes a page on which people score some of them too, and saves `ratings`.
5. `summaries` sums the scores up, `verdicts` decides by `rules`, `agreement` compares people and
   judge, and `quality_report` joins the three.

Names are loaded on first use (PEP 562): the filter of a mixture reads scores, and needs no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packkit.base.lazy import lazy_names

if TYPE_CHECKING:
    from packkit.infimed.curation.assess_run import AssessProgress as AssessProgress
    from packkit.infimed.curation.assess_run import AssessRun as AssessRun
    from packkit.infimed.curation.assess_run import CostEstimate as CostEstimate
    from packkit.infimed.curation.assessing import AssessConfig as AssessConfig
    from packkit.infimed.curation.assessing import assess as assess
    from packkit.infimed.curation.assessing import estimate as estimate
    from packkit.infimed.curation.assessments import Assessment as Assessment
    from packkit.infimed.curation.assessments import read_assessments as read_assessments
    from packkit.infimed.curation.figure import plot_report as plot_report
    from packkit.infimed.curation.quality_report import QualityReport as QualityReport
    from packkit.infimed.curation.quality_report import report_on as report_on
    from packkit.infimed.curation.rules import Rules as Rules
    from packkit.infimed.curation.rules import read_rules as read_rules
    from packkit.infimed.curation.sheet import SheetConfig as SheetConfig
    from packkit.infimed.curation.sheet import SheetReport as SheetReport
    from packkit.infimed.curation.sheet import make_sheet as make_sheet

_MODULES = {
    "assess_run": ("AssessProgress", "AssessRun", "CostEstimate"),
    "assessing": ("AssessConfig", "assess", "estimate"),
    "assessments": ("Assessment", "read_assessments"),
    "figure": ("plot_report",),
    "quality_report": ("QualityReport", "report_on"),
    "rules": ("Rules", "read_rules"),
    "sheet": ("SheetConfig", "SheetReport", "make_sheet"),
}

__all__, __getattr__, __dir__ = lazy_names(__name__, _MODULES)
