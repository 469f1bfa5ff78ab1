"""HTTP: one sub-application per dialect."""
