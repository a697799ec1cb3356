"""Pure numerics, one file per algorithm; nothing here knows Kedro or a file."""
