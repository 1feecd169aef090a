"""Files of one's own -> samples: tables, recordings, images (docs/reference/own-data.md, D1 to D8)."""
