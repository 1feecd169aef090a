"""Many devices on one machine: their samples, and the engines that train them together."""
