"""Pages of platforms, read by yt-dlp in a process of its own."""
