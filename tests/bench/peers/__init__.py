"""``make bench ARGS=peers``: search and indexing beside other libraries, each in its own words, on the same data."""
