"""cyto_kedro: from time-lapse microscopy of immune cells killing cancer cells to numbers."""

__version__ = "0.1.0"
