"""Chooses the settings of a task on its training data alone (`jaragua tune`)."""
