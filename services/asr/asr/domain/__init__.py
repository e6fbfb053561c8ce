"""The rules of transcription: no files, no clock, no network."""
