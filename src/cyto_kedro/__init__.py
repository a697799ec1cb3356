"""cyto_kedro: from movies of immune cells killing cancer cells to numbers."""

__version__ = "0.1.0"
