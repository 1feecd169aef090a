"""Networks that learn in LiteRT: files that hold a training step, made with TensorFlow and run without it.

`convert` and the `traced_*` modules need TensorFlow; `training_file`, `runtime` and `engine` need NumPy and a LiteRT
runtime only, and no compiler. What is in a file: docs/reference/litert.md.
"""
