"""Between the vectors of a strategy and the blobs on the broker: packing, formats, versions, publication."""
