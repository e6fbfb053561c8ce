"""Messaging beside its peers: consumers, relay, latency with and without poison, a backlog; parts of `make bench`."""
