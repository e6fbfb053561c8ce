"""Forwarding: what the gateway does not serve itself goes to the service that owns it, untouched."""
