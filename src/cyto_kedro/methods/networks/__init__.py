"""Networks of cells: who lies next to whom, who is near, who touches."""
