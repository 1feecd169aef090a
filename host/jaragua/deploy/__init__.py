"""From a model and conditions to a run: finds boards, builds, flashes, writes the run file (semantics.md, S8)."""
