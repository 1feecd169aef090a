"""Which device can train or run which model, and why not (S5, S6). Pure."""
