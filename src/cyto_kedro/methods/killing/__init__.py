"""Who died, when, and who killed: death events, attribution, survival."""
