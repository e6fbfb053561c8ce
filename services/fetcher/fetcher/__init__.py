"""The service that brings recordings in."""
