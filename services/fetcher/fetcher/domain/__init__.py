"""Pure rules of fetching: no I/O, no clock, no randomness."""
