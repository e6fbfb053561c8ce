"""The demo: a known recording, questions about it, and the check that the answers cite the right place."""
