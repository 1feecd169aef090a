"""Watches a fleet without taking part: what the broker says of it, and what a run's folder has."""
