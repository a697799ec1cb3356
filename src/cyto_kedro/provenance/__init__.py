"""What was made from what, by which code: sidecars, fingerprints, run records."""
