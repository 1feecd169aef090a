"""Training steps as data: ordinary ones, random ones, and those of the float32 baseline."""
