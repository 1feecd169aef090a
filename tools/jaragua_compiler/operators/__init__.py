"""Operators without weights: one descriptor each, from which planning, reference, front ends and C take it."""
