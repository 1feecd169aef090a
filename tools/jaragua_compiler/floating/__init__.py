"""The same network in float32: the engine that calibrates formats and evaluates what integers cost."""
