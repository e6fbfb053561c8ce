"""All SQL of the gateway, one file per subject."""
