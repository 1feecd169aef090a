"""The parts of docs/ that are generated from the code: `python -m jaragua_documents` writes them, a test compares them.

A page marks such a part with `<!-- generated: NAME -->` and `<!-- end -->`; what lies between is replaced.
"""
