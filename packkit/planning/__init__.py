"""Planning: which samples go into which pack, and what other capacities would give."""

from packkit.base.pack_options import Algorithm
from packkit.planning.plan import HistogramPlan, PackPlan, plan_histogram, plan_packs

__all__ = ["Algorithm", "HistogramPlan", "PackPlan", "plan_histogram", "plan_packs"]
