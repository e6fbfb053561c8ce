"""All SQL of the chat service."""
