"""Boards on one side, the broker on the other, the samples in between."""
