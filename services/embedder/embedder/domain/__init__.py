"""Rules of chunking, words and ranking: no I/O."""
