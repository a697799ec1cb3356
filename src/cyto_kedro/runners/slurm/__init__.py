"""Dispatches nodes to SLURM."""
