"""C that trains many devices at once, and how it is built for this machine."""
