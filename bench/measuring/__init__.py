"""What the benchmarks share: their options and rows, and what processes take."""
