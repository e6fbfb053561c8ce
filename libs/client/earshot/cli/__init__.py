"""The `earshot` command line, one file per subject."""
