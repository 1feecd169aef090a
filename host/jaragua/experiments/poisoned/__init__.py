"""What a minority of devices that poison their updates costs, under each way to combine updates."""
