"""What the firmware takes of each board: RAM, flash, stack and instructions of a training step."""
