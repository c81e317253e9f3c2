"""Seven medical benchmarks: questions, answers, rules that read them, and what they come to."""
