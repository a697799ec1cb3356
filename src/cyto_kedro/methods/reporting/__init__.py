"""What the report and the check by eye compute: kills in words, crops, agreement."""
