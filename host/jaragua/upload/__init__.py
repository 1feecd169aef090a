"""Puts a finished image on a board with its upload method, and asks the board whether the image runs."""
