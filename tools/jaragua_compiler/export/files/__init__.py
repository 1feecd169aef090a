"""The files of an exported folder: C, headers, self-test, README."""
