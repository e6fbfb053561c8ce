"""Backups of a stack on one machine: taken while it runs, verified, restored into a new data folder."""
