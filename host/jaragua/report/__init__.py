"""The final figures of a run: what is claimed, and how sure one can be of it."""
