"""How well prototypes reject classes that nobody enrolled, with a threshold of the training side (A12.8)."""
