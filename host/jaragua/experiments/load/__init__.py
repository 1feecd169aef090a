"""Thousands of simulated devices at one broker and one coordinator: `python -m jaragua.experiments.load`."""
