"""One package per analysis category; `create_pipeline(layout)` builds its nodes."""

import warnings

# Kedro warns of every dataset of one namespace that a node of another one reads, which
# is what namespaces per cell type are for.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
