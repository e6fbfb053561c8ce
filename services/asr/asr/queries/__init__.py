"""All SQL of asr."""
