"""Pure rules of the gateway: no I/O, no clock, no randomness that is not passed in."""
