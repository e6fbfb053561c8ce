"""ffprobe and ffmpeg on files that strangers made."""
