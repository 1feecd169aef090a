"""The bench: what a training step of a network costs on an emulated Cortex-M4, and whether it computes the right bits.

What is measured and how is told in docs/results/benchmarks.md. `measure.measure(name)` gives the figures of one model;
`steps`, `random_steps` and `board` let the NumPy reference, the native engine and the emulated board do the same steps
and tell where they differ; `float_code.float_code(elf)` finds floating point in any ARM program.
"""
