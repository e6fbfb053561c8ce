"""The outside world of the fetcher: the web, ffmpeg, the local disk."""
