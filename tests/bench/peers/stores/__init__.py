"""The other libraries, each behind the same few calls. Runs in `.venv-peers`, which has nothing of Earshot."""
