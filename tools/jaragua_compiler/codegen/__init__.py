"""The device's arithmetic in C: the model's sources, made from its plan."""
