"""The result table of a movie and of an experiment, and what to distrust in them."""
