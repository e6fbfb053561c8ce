"""The server's resources, one file per subject, as `Client` offers them."""
