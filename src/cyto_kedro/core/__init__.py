"""Types, schemas and small services that every other room may import."""
