"""Which integers stand for which numbers: formats, rates, dither, and the blob that holds weights."""
