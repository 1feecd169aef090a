"""What learning after deployment forgets and notices, and what it costs."""
