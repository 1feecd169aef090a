"""The weights a node trains from: blobs, and the differences they are made of."""
