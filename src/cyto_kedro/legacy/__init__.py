"""pyCyto's configuration files in terms of this project: pure translation."""
