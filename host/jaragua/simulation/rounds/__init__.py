"""The rounds themselves, with and without a buffer, and what is kept of them on disk."""
