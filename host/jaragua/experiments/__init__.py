"""Measurements behind the documents. Nothing in the product imports them."""
