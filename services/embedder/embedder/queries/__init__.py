"""All SQL of the embedder, by subject."""
