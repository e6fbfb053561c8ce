"""How ffprobe and ffmpeg are started: on one local file, with the containers and protocols of recordings alone."""

import shutil
from pathlib import Path

# No playlists, manifests, concatenations, devices, images, subtitles or tracker music: they open other files,
# or are no recordings.
_CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dts,dtshd,eac3,flac,flv,gsm,ivf,loas,matroska,webm,"
    "mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,mxf,oma,ogg,rm,sox,tta,voc,w64,wav,wtv,wv"
)
_QUIET = ("-hide_banner", "-v", "error")


async def check_installed() -> None:
    """For the start of a worker. Raises RuntimeError with what to do."""
    missing = [program for program in ("ffmpeg", "ffprobe") if shutil.which(program) is None]
    if missing:
        raise RuntimeError(f"{' and '.join(missing)} not found: install the package ffmpeg of your system")


def reading(path: Path) -> list[str]:
    """Arguments that open ``path`` and can open nothing else."""
    return ["-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS, "-i", f"file:{path}"]


def ffprobe(path: Path) -> list[str]:
    show = ["-show_format", "-show_streams", "-of", "json=compact=1"]
    return ["ffprobe", *_QUIET, "-probesize", "20000000", "-analyzeduration", "20000000", *show, *reading(path)]


def ffmpeg(path: Path, *, most_errors: float) -> list[str]:
    """``most_errors``: the share of undecodable frames beyond which ffmpeg gives up with exit code 69."""
    speak = ["-progress", "pipe:1", "-nostats", "-stats_period", "0.5", "-max_error_rate", str(most_errors)]
    return ["ffmpeg", "-nostdin", "-y", *_QUIET, *speak, *reading(path)]


def ffmpeg_track(path: Path, index: int, form: str, output: Path, *, same: bool) -> list[str]:
    """Writes stream ``index``, a subtitle track of text, as a file of the kind ``form``; ``same``: as it is stored."""
    taken = ["-map", f"0:{index}", "-c:s", "copy" if same else form, "-f", form]
    # A damaged track may complain of every cue.
    return ["ffmpeg", "-nostdin", "-y", "-hide_banner", "-v", "fatal", *reading(path), *taken, f"file:{output}"]


def ffmpeg_join(picture: Path, sound: Path, output: Path) -> list[str]:
    """Writes the picture of one file and the sound of another, as they are, into Matroska."""
    taken = ["-map", "0:v:0", "-map", "1:a:0", "-c", "copy", "-f", "matroska"]
    return ["ffmpeg", "-nostdin", "-y", *_QUIET, *reading(picture), *reading(sound), *taken, f"file:{output}"]
