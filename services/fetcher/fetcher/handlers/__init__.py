"""Facts in: check, do, record."""
