"""The pure rules of answering: passages, prompts, markers, quotes, and when to refuse."""
