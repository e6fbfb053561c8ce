"""What can be wrong with a subtitle file, or an archive of them, and what to do about it."""

from common.errors import CannotProcess

_SUBTITLES_ADVICE = "Add an SRT, WebVTT (.vtt) or TTML file, or a ZIP of them."


def not_subtitles(what: str) -> CannotProcess:
    return CannotProcess(
        f"This is {what}, not subtitles: it has no times with text below them.",
        category="not_subtitles",
        advice=_SUBTITLES_ADVICE,
    )


def empty_subtitles() -> CannotProcess:
    return CannotProcess("The file is empty.", category="empty", advice="Check that the right file was chosen.")


def no_cues(unreadable: int) -> CannotProcess:
    if unreadable:
        return CannotProcess(
            "None of the file's times can be read.",
            category="damaged",
            advice="A time line reads like 00:01:02,500 --> 00:01:04,000. Export the subtitles again as SRT or WebVTT.",
        )
    return CannotProcess(
        "The file has no text: not one of its cues says anything.",
        category="empty",
        advice="Check that the right file was chosen.",
    )


def damaged_subtitles(why: str) -> CannotProcess:
    return CannotProcess(
        f"The subtitle file is damaged: {why}.",
        category="damaged",
        advice="Export it again, or convert it to SRT or WebVTT.",
    )


def dangerous_xml() -> CannotProcess:
    return CannotProcess(
        "The subtitle file defines XML entities, which are not read for safety.",
        category="unsupported",
        advice="Export it again without a document type, or convert it to SRT or WebVTT.",
    )


def too_many_cues(most_cues: int, most_words: int) -> CannotProcess:
    return CannotProcess(
        f"The file has more text than any recording: over {most_cues} cues or {most_words} words.",
        category="too_large",
        advice="Cut it into several files.",
    )


def subtitles_too_large(limit_bytes: int) -> CannotProcess:
    return CannotProcess(
        f"The file has more than {limit_bytes} bytes, the most that a subtitle file may have.",
        category="too_large",
        advice="Cut it into several files, or export it without styles.",
    )


def archive_too_large(limit_bytes: int) -> CannotProcess:
    return CannotProcess(
        f"The ZIP holds more than {limit_bytes} bytes.", category="too_large", advice="Divide it into several ZIPs."
    )


def too_many_files(most: int) -> CannotProcess:
    return CannotProcess(
        f"The ZIP holds more than {most} files.", category="too_large", advice="Divide it into several ZIPs."
    )


def damaged_archive() -> CannotProcess:
    return CannotProcess(
        "The ZIP is damaged or incomplete.", category="damaged", advice="Make the ZIP again and add that."
    )


def empty_archive() -> CannotProcess:
    return CannotProcess("The ZIP holds no files.", category="empty", advice=_SUBTITLES_ADVICE)


def encrypted() -> CannotProcess:
    return CannotProcess(
        "The file is encrypted.", category="unsupported", advice="Make a ZIP without a password and add that."
    )


def nested_archive() -> CannotProcess:
    return CannotProcess(
        "This is an archive within the ZIP.", category="archive", advice="Unpack it and add the files inside."
    )


def unsafe_name() -> CannotProcess:
    return CannotProcess(
        "The file's name leads out of the ZIP.", category="unsupported", advice="Make the ZIP again with plain names."
    )


def packed_too_tightly() -> CannotProcess:
    return CannotProcess(
        "The file unpacks to far more than subtitles do.", category="too_large", advice="Add the file itself."
    )


def unknown_packing() -> CannotProcess:
    return CannotProcess(
        "The file is packed in a way that is not read.",
        category="unsupported",
        advice="Make the ZIP again with the usual compression (deflate).",
    )


def captions_not_given() -> CannotProcess:
    return CannotProcess("The platform does not give them at the moment.", category="damaged")


def no_captions(why: str) -> CannotProcess:
    """``why``: a clause without its end."""
    return CannotProcess(
        f"Only the recording's captions were to be used, but {why}.",
        category="no_captions",
        advice="Add the recording again with captions=prefer or without captions, so that its sound is recognised; or "
        "add its subtitle file at POST /api/transcripts/upload. If the language is wrong, name the one spoken.",
    )
