"""Puts a new image on a board, and proves that it runs (`jaragua flash`)."""
