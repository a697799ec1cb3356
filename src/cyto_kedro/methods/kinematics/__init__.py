"""Motion of tracked cells: steps, track summaries, mean squared displacement."""
