"""Which serial ports this machine has, what is plugged in there, and why a port cannot be used."""
