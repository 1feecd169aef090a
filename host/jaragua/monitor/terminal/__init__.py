"""A terminal interface of the monitor (textual, `jaragua[terminal]`): lines, the board, rounds, and a command line."""
