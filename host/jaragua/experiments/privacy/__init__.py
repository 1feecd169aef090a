"""What private updates cost: score against ε, and bytes and processor time of a secure sum."""
