"""What every Earshot service shares, and nothing else."""
