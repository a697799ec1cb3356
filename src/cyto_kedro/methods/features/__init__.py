"""Features of cells and movies: selections, combinations, correlations, capacity."""
