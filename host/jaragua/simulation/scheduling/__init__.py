"""Who trains when, and what is drawn for it."""
