"""Captions as transcripts."""
