"""The rounds of a run as pure rules: selection, deadlines, what is taken and what is not."""
