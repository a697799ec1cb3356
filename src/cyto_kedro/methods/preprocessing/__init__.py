"""Numerics of image preprocessing: drift, background, noise, intensity, merging."""
