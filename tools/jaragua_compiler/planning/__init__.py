"""Where every byte of a network lies on a device, and what the device is able to do."""
