"""The outside world of the gateway."""
