"""Quality figures of raw frames, and the calibration that the files agree on."""
