"""HTTP in: uploads from the gateway, media to listeners."""
