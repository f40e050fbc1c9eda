"""Proofs: the hub is broken on purpose, and the twins' own books are the judge."""
