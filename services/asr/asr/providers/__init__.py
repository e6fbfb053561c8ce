"""The outside world of asr: engines, listening, and recordings on local disk."""
