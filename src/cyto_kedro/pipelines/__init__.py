"""One package per analysis category; `create_pipeline(layout)` builds its nodes."""

import warnings

# Kedro wants a namespace to be a closed group of nodes. Here it is a cell type, whose
# cells meet those of other types in nodes that belong to neither.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
warnings.filterwarnings("ignore", message="Namespace '.*' is interrupted by nodes")
