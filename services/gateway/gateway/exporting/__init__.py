"""A collection as one ZIP, written while it is sent."""
