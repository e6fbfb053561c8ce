"""Speech: how many words are wrong, how many speakers are, how fast, and how well work is shared."""
