"""The paper InfiMed-Foundation on top of packkit: medical data, their quality, and benchmarks."""
