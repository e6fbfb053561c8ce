"""What agents may call over the Model Context Protocol: one tool a file, one table of all."""
