"""The other sides of benchmarks: programs as somebody without toile writes them, by the documentation of what they use."""
