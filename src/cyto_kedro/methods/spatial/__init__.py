"""Where cells are: densities over the field of view."""
