"""Descriptions of models: layers, figures, and a training build for each core and arithmetic (S3)."""
