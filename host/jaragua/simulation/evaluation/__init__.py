"""How good an initialisation is, on held-out tasks."""
