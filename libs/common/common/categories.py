"""Why work fails, for people: every category with what it means, whether it is retried, and what to do."""

from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "unsupported_url",
    "forbidden_address",
    "unreachable",
    "timeout",
    "unavailable",
    "not_found",
    "restricted",
    "too_large",
    "too_long",
    "empty",
    "not_media",
    "not_subtitles",
    "archive",
    "no_audio",
    "no_captions",
    "unsupported",
    "damaged",
    "engine_unavailable",
    "internal",
]


@dataclass(frozen=True)
class Meaning:
    """``advice`` and ``retryable`` are what a failure says unless its case is more special.

    ``retryable``: whether asking again, with nothing else changed, may succeed. ``retried``: what was tried before
    the failure was told.
    """

    means: str
    retried: str
    retryable: bool
    advice: str


_NOT = "no"
_SEVERAL_TIMES = "several times, with growing pauses"

CATEGORIES: dict[Category, Meaning] = {
    "unsupported_url": Meaning(
        "The link is none that can be fetched.",
        _NOT,
        False,
        "Give a plain link that begins with https:// or http://.",
    ),
    "forbidden_address": Meaning(
        "The link leads, at once or by a redirect, to a host that is not on the public internet.",
        _NOT,
        False,
        "Use a public link or upload the file. In a closed network the operator can allow private hosts.",
    ),
    "unreachable": Meaning(
        "The server of the link does not answer, breaks off, or does not let Earshot have the file.",
        "connections several times within the fetch; a refusal not",
        True,
        "Check that the link opens in a browser, then retry; or download the file yourself and upload it.",
    ),
    "timeout": Meaning(
        "The server of the link is too slow, or its stream never ends.",
        "several times within the fetch",
        True,
        "Retry later, or download the file yourself and upload it.",
    ),
    "unavailable": Meaning(
        "Something that is needed is away or full for the moment: a server, the file store, the disk.",
        _SEVERAL_TIMES,
        True,
        "Wait a while, then retry.",
    ),
    "not_found": Meaning(
        "What is to be worked on is not there: nothing at the link, an upload that expired, an earlier stage's result.",
        "where it may still be on its way, several times",
        False,
        "Check the link, or add the recording again.",
    ),
    "restricted": Meaning(
        "A platform shows the recording only to some: it is private, needs a sign-in or a check of age, or is closed "
        "to the country that Earshot fetches from.",
        _NOT,
        False,
        "Make it public, or download it yourself and upload it. An administrator can set cookies or a proxy.",
    ),
    "too_large": Meaning(
        "The file has more bytes than are allowed.",
        _NOT,
        False,
        "Compress the recording (a lower bit rate, or sound only) or cut it into several.",
    ),
    "too_long": Meaning(
        "The recording lasts longer than is allowed.",
        _NOT,
        False,
        "Cut the recording into several shorter ones.",
    ),
    "empty": Meaning(
        "The file has no bytes.",
        _NOT,
        False,
        "Check the original: a recording has more than 0 bytes.",
    ),
    "not_media": Meaning(
        "The file is something else: a web page, a picture, a document.",
        _NOT,
        False,
        "Give the direct link to the audio or video file, one that starts a download or a player.",
    ),
    "not_subtitles": Meaning(
        "The file holds no subtitles that can be read: it is something else, or damaged.",
        _NOT,
        False,
        "Give a SubRip (.srt), WebVTT (.vtt) or TTML (.ttml) file, or a ZIP of such files.",
    ),
    "archive": Meaning(
        "The file is an archive.",
        _NOT,
        False,
        "Unpack it and add the recordings inside one by one.",
    ),
    "no_audio": Meaning(
        "There is no sound: a video without a sound track, or a recording that was added as a subtitle file.",
        _NOT,
        False,
        "Check the original, or export the video again with its sound; to a subtitle file add its recording.",
    ),
    "no_captions": Meaning(
        "Only captions were to be used, and the recording has none that can be read in the language that is spoken.",
        _NOT,
        False,
        "Add the recording again without captions=only: its sound is then recognised. Or add its subtitle file.",
    ),
    "unsupported": Meaning(
        "The format, the language, or the engine asked for is none that this installation has.",
        _NOT,
        False,
        "Convert the recording to a common format, or leave language and engine out.",
    ),
    "damaged": Meaning(
        "The file is cut short or broken; or what an earlier stage stored cannot be read any more.",
        _NOT,
        False,
        "Get a complete copy of the file. If yours plays, convert it once (for example to MP3) and add that.",
    ),
    "engine_unavailable": Meaning(
        "A program or model on the server is missing or breaks: ffmpeg, the speech engine, the text model.",
        _SEVERAL_TIMES,
        True,
        "Retry; if it fails again, an administrator finds the reason in the service's log.",
    ),
    "internal": Meaning(
        "A mistake of ours. The message is set aside for an administrator.",
        "three times",
        True,
        "Retry; if it fails again, ask an administrator to look at the parked messages.",
    ),
}

_PAGE = """# Why work fails

Generated from `libs/common/common/categories.py` by `./earshot schemas`; do not edit.

A failed asset says why in `error`: `{stage, category, message, advice, retryable}`, the same in `processing.failed.v1`.
`message` and `advice` are written for the case at hand; `retryable` says whether a retry may help with nothing else
changed. Categories may be added: treat one that is not listed here as a failure like any other.

| category | what it means | tried again by itself | retry may help | what to do |
|---|---|---|---|---|
"""


def as_page() -> str:
    """The table as Markdown, for ``docs/errors.md``."""
    return _PAGE + "".join(
        f"| `{name}` | {is_.means} | {is_.retried} | {'yes' if is_.retryable else 'rarely'} | {is_.advice} |\n"
        for name, is_ in CATEGORIES.items()
    )
