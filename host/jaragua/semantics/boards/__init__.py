"""Types of boards: memory, clock, current and sensors, with their sources (S2.6)."""
