"""Planning: which samples go into which pack, and what other capacities would give."""

from packkit.planning.plan import (
    Algorithm,
    HistogramPlan,
    PackPlan,
    plan_histogram,
    plan_packs,
)

__all__ = ["Algorithm", "HistogramPlan", "PackPlan", "plan_histogram", "plan_packs"]
