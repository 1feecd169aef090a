"""Private updates (docs/design/private-updates.md, U): sums of masked integers, clipping, noise, ε. Pure."""
