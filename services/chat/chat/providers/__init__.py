"""The outside world: models that write answers, and the embedder that finds and compares passages."""
