"""HTTP in: one file per subject."""
