"""Projects of one's own: what `jaragua new` writes."""
