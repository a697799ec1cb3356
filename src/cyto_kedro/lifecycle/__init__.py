"""What becomes of data: placed as raw, promoted, purged, counted."""
