"""Deciding: which data sets are kept and which are dropped, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from packkit.infimed.curation.rules import Rules, Threshold
from packkit.infimed.curation.summaries import DataSetSummary

Decision = Literal["keep", "drop", "undecided"]
RuleResult = Literal["holds", "fails", "too few samples", "no images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one threshold came to for one data set.

    Attributes:
        rule: The threshold, as people read it.
        value: Value of the measure; None where nothing was scored.
        n: Number of scores that the value is of.
        outcome: Whether the threshold holds, or why that cannot be said.
    """

    rule: str
    value: float | None
    n: int
    outcome: RuleResult

    @property
    def text(self) -> str:
        """The threshold, the value and the outcome, as people read them."""
        value = "no scores" if self.value is None else f"{self.value:.3g} of {self.n:,} samples"
        return f"{self.rule}: {value}, {self.outcome}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetVerdict:
    """What the rules say of one data set.

    Attributes:
        data_set: Name of the data set.
        decision: ``keep``, ``drop``, or ``undecided`` where there are too few scores.
        reason: The rule that decided, and the value that it decided by.
        findings: What each threshold came to, whether it decided or not.
    """

    data_set: str
    decision: Decision
    reason: str
    findings: Sequence[Finding]


def decide(data_set: DataSetSummary, rules: Rules) -> DataSetVerdict:
    """Decides about a data set.

    An exclusion comes first, then the minima of samples and of coverage, then the thresholds: one
    that fails drops the data set, and one with too few samples leaves it undecided. A threshold on
    imaging relevance does not count where no sample has an image.
    """
    findings = [_finding(data_set, threshold, rules) for threshold in rules.thresholds]
    decision, reason = _decision(data_set, rules, findings)
    return DataSetVerdict(
        data_set=data_set.name, decision=decision, reason=reason, findings=findings
    )


def _finding(data_set: DataSetSummary, threshold: Threshold, rules: Rules) -> Finding:
    scores = data_set.scores[threshold.criterion]
    value: float | None = getattr(scores, threshold.measure)
    outcome: RuleResult
    if scores.n < rules.min_samples or value is None:
        # Only imaging relevance lacks scores where others have them.
        no_images = scores.n == 0 and data_set.without_image == 1
        outcome = "no images" if no_images else "too few samples"
    else:
        outcome = "holds" if threshold.holds(value) else "fails"
    return Finding(rule=threshold.text, value=value, n=scores.n, outcome=outcome)


def _decision(
    data_set: DataSetSummary, rules: Rules, findings: Sequence[Finding]
) -> tuple[Decision, str]:
    for exclusion in rules.exclusions:
        if exclusion.data_set == data_set.name:
            return "drop", f"exclusion of {exclusion.data_set}: {exclusion.reason}"
    scored = data_set.states.get("ok", 0)
    if scored < rules.min_samples:
        return "undecided", f"min_samples {rules.min_samples:,}: {scored:,} scored"
    if data_set.coverage < rules.min_coverage:
        share = f"{scored:,} of {data_set.samples:,} scored, {data_set.coverage:.3g}"
        return "undecided", f"min_coverage {rules.min_coverage:g}: {share}"
    for outcome, decision in _BY_OUTCOME.items():
        if decisive := [finding.text for finding in findings if finding.outcome == outcome]:
            return decision, "; ".join(decisive)
    return "keep", "; ".join(finding.text for finding in findings)


# A threshold that fails outweighs one that cannot be decided.
_BY_OUTCOME: Mapping[RuleResult, Decision] = {"fails": "drop", "too few samples": "undecided"}
