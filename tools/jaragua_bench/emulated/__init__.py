"""Build programs for the emulated board, run them, and look at their code."""
