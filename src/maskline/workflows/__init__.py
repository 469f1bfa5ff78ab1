"""Use cases, one verb per module: one workflow is one database transaction."""
