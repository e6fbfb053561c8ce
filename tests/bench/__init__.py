"""Measurements: always beside a peer in the same run, or against a stated goal; never in a test."""
