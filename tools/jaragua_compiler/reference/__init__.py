"""The device's arithmetic in NumPy: one expression for each rule of docs/reference/arithmetic.md."""
