"""Which batch Reptile is the cheapest that learns as well as TinyReptile, and what the two cost a board.

The definition is in docs/results/benchmarks.md, "TinyReptile against batch Reptile".
"""
