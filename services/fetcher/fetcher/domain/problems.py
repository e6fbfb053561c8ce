"""What can be wrong with a source, said so that a person knows what to do next."""

from common.errors import CannotProcess, TryAgain


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def unsupported_url(why: str) -> CannotProcess:
    return CannotProcess(why, category="unsupported_url")


def unknown_host(host: str) -> CannotProcess:
    return CannotProcess(
        f"The name {host} has no address.",
        category="unreachable",
        advice="Check the spelling of the link; if it is right, the name service may be at fault: retry later.",
        retryable=True,
    )


def forbidden_address(host: str, *, redirected: bool) -> CannotProcess:
    """Never names the address: that would tell a stranger what the network behind us looks like."""
    how = f"The link redirects to {host}, which" if redirected else f"The host {host}"
    return CannotProcess(
        f"{how} is not on the public internet.",
        category="forbidden_address",
    )


def too_many_redirects(most: int) -> CannotProcess:
    return CannotProcess(
        f"The link redirects more than {most} times.",
        category="unreachable",
        advice="Open the link in a browser and give the address where it ends.",
        retryable=False,
    )


def bad_redirect(why: str) -> CannotProcess:
    return CannotProcess(
        f"The link redirects to an address that cannot be used: {why}",
        category="unsupported_url",
        advice="Open the link in a browser and give the address where it ends.",
    )


def unreachable(host: str, why: str) -> CannotProcess:
    return CannotProcess(
        f"{host} could not be reached: {why}.",
        category="unreachable",
        advice="Check that the link opens in a browser, then retry.",
        retryable=True,
    )


def stalled(seconds: float, received: int) -> CannotProcess:
    return CannotProcess(
        f"The server sent nothing for {seconds:g} s, several times over (after {_size(received)}).",
        category="timeout",
        advice="The server may be overloaded: retry later, or download the file yourself and upload it.",
        retryable=True,
    )


def cut(received: int, total: int | None) -> CannotProcess:
    of = f" of {_size(total)}" if total else ""
    return CannotProcess(
        f"The connection was cut again and again, after {_size(received)}{of}.",
        category="unreachable",
        advice="Retry later, or download the file yourself and upload it.",
        retryable=True,
    )


def too_slow(seconds: float) -> CannotProcess:
    return CannotProcess(
        f"The download was not finished after {_hours(seconds)}.",
        category="timeout",
        advice="Live streams cannot be fetched. For a slow server, download the file yourself and upload it.",
        retryable=False,
    )


def cannot_resume(seconds: float) -> CannotProcess:
    return CannotProcess(
        f"The download was not finished after {_hours(seconds)}, and this server cannot continue one later.",
        category="timeout",
        advice="Download the file yourself and upload it.",
        retryable=False,
    )


def refused_by_server(status: int) -> CannotProcess | TryAgain:
    """What an answer other than success means for the user."""
    if status in (404, 410):
        return CannotProcess(
            f"There is nothing at this link (the server answered {status}).",
            category="not_found",
            advice="Check the link; it may have expired or been moved.",
        )
    if status in (401, 402, 403, 407, 451):
        return CannotProcess(
            f"The server does not let Earshot have the file (it answered {status}).",
            category="unreachable",
            advice="Make the link public, use a signed link, or download the file yourself and upload it.",
            retryable=False,
        )
    if status in (408, 425, 429) or status >= 500:
        return TryAgain(
            f"The server cannot serve the file at the moment (it answered {status}).",
            category="unavailable",
            advice="Retry later, or download the file yourself and upload it.",
            attempts=3,
        )
    return CannotProcess(
        f"The server answered {status} instead of the file.",
        category="unreachable",
        advice="Check that the link downloads a file when opened in a browser.",
        retryable=False,
    )


def encoded_answer(encoding: str) -> CannotProcess:
    return CannotProcess(
        f"The server packs the file ({encoding}) although it was asked not to.",
        category="unsupported",
        advice="Download the file yourself and upload it.",
    )


def too_large(limit_bytes: int, size_bytes: int | None = None) -> CannotProcess:
    has = f"The file has {_size(size_bytes)}, m" if size_bytes else "The file is m"
    return CannotProcess(
        f"{has}ore than the allowed {_size(limit_bytes)}.",
        category="too_large",
    )


def too_long(limit_seconds: float, duration_seconds: float) -> CannotProcess:
    return CannotProcess(
        f"The recording lasts {_hours(duration_seconds)}, more than the allowed {_hours(limit_seconds)}.",
        category="too_long",
    )


def empty() -> CannotProcess:
    return CannotProcess("The file is empty.", category="empty")


def not_media(what: str) -> CannotProcess:
    return CannotProcess(
        f"This is {what}, not a recording.",
        category="not_media",
    )


def archive(what: str) -> CannotProcess:
    return CannotProcess(f"This is {what}.", category="archive")


def unsupported_media(what: str) -> CannotProcess:
    return CannotProcess(
        f"This is {what}, which Earshot does not read.",
        category="unsupported",
        advice="Convert the recording to a common format such as MP3, M4A, FLAC, WAV, MP4 or WebM.",
    )


def no_audio() -> CannotProcess:
    return CannotProcess(
        "The video has no sound track.",
        category="no_audio",
    )


def damaged(why: str) -> CannotProcess:
    return CannotProcess(
        f"The recording is damaged: {why}.",
        category="damaged",
    )


def too_costly() -> CannotProcess:
    return CannotProcess(
        "Reading the recording takes far more time or memory than a recording of its kind should.",
        category="damaged",
        advice="Convert it to a common format such as MP3 or FLAC and add that.",
    )


def no_room() -> TryAgain:
    return TryAgain("There is no room left on the disk.", advice="Free some disk space, then retry.", attempts=20)


def no_ffmpeg() -> TryAgain:
    return TryAgain(
        "ffmpeg cannot be run on the server.",
        category="engine_unavailable",
        advice="An administrator has to install ffmpeg (with ffprobe); then retry.",
        attempts=6,
    )


def upload_gone() -> CannotProcess:
    return CannotProcess(
        "The uploaded file is no longer here: it was used already or has expired.",
        category="not_found",
        advice="Upload the file again.",
    )


def object_gone(object_uri: str) -> CannotProcess:
    return CannotProcess(
        f"There is nothing at {object_uri} in the object store.",
        category="not_found",
        advice="Put the file there first, then ask again.",
    )


def forbidden_object(object_uri: str) -> CannotProcess:
    return CannotProcess(
        f"{object_uri} does not lie below incoming/.",
        category="unsupported_url",
        advice="Put the file below incoming/ in the object store and name it by that key.",
    )


def unsupported_kind(kind: str) -> CannotProcess:
    return CannotProcess(
        f"Assets of the kind {kind} cannot be fetched yet.",
        category="unsupported",
        advice="Add an audio or video file.",
    )


def nothing_known() -> TryAgain:
    return TryAgain(
        "Where this recording comes from is not known yet.",
        category="not_found",
        advice="Retry in a few minutes; if it fails again, delete the asset and add the recording again.",
        attempts=6,
    )


def several_recordings() -> CannotProcess:
    return CannotProcess(
        "The page is a list of recordings: a channel, a playlist, or a post with several.",
        category="unsupported_url",
        advice="Give the link of one recording.",
    )


def not_finished() -> CannotProcess:
    return CannotProcess(
        "The recording is not finished: it is live, has not begun, or is still being made ready by its platform.",
        category="unavailable",
        advice="Retry when it is over and can be watched from its beginning.",
    )


def restricted(how: str) -> CannotProcess:
    """``how`` completes the sentence "The recording …"."""
    return CannotProcess(f"The recording {how}.", category="restricted")


def protected() -> CannotProcess:
    return CannotProcess(
        "The recording is protected against copying (DRM).",
        category="unsupported",
        advice="Ask its owner for the file and upload that.",
    )


def gone_from_platform() -> CannotProcess:
    return CannotProcess(
        "The platform says that there is no such recording, or not any more.",
        category="not_found",
        advice="Check that the link plays in a browser where nobody is signed in.",
    )


def platform_busy() -> TryAgain:
    return TryAgain(
        "The platform takes no more requests from this address for now.",
        category="unavailable",
        advice="Retry in some hours. If it stays so, an administrator can set a proxy or cookies for the fetcher.",
        attempts=4,
    )


def platform_says(words: str) -> CannotProcess:
    return CannotProcess(
        f"The platform does not give the recording: {words.rstrip('.') or 'it does not say why'}.",
        category="unreachable",
        advice="Check that the link plays in a browser where nobody is signed in, then retry; or upload the file.",
    )


def unreadable_page() -> CannotProcess:
    return CannotProcess(
        "The platform's page cannot be read; the platform may have changed.",
        category="engine_unavailable",
        advice="An administrator has to update yt-dlp; then retry. Or download the recording yourself and upload it.",
    )


def silent_platform(seconds: float) -> CannotProcess:
    return CannotProcess(
        f"The platform's page came to no end within {seconds:g} s.",
        category="timeout",
        advice="Retry later, or download the recording yourself and upload it.",
        retryable=True,
    )


def no_cookies() -> TryAgain:
    return TryAgain(
        "The file of cookies that the fetcher is to use cannot be read.",
        category="engine_unavailable",
        advice="An administrator has to set FETCHER_COOKIES_FILE right; then retry.",
        attempts=6,
    )
