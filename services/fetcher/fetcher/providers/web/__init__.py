"""Downloading from addresses that strangers give us."""
