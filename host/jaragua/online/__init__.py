"""Learning after deployment, seen from the host: streams of labelled samples, and who learns from them."""
