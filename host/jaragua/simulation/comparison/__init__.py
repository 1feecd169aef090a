"""What a learned start is compared with: simple methods on the same support and query sets."""
