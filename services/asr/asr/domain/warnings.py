"""What a transcript must say about itself, each line as ``code: sentence for a person``."""

from collections.abc import Sequence

# Measured on x86-64 Linux, where torch comes with its CUDA libraries.
UPGRADE_COMMAND = "uv sync --all-packages --extra whisperx"
WEIGHTS_COMMAND = ".venv/bin/hf download Systran/faster-whisper-large-v3"
UPGRADE_COST = "about 4 GB to download, 7 GB on disk, 2 minutes on a fast line"

NO_SPEECH = "no_speech: No speech was found in this recording."
ONE_SPEAKER_ONLY = "speakers_not_separated: Speaker finding is not installed, so everything is put down to one speaker."
DRAFT = (
    "draft: This transcript is a draft by pocketsphinx: expect wrong words, above all with noise, accents and names, "
    f"and no punctuation but full stops at pauses. WhisperX is far better: `{UPGRADE_COMMAND}` installs it "
    f"({UPGRADE_COST}), `{WEIGHTS_COMMAND}` its weights (3 GB); with both it is used by itself."
)
_DRAFTS = frozenset({"pocketsphinx"})

NO_NAMES = "speakers_not_named: The subtitles name no speakers, so everything is put down to one."

SPEAKERS_FAILED = (
    "speakers_failed: Finding the speakers failed, so everything is put down to one speaker: {reason} "
    "The words are not affected. {advice}"
)
FIND_AGAIN = "Retry from the stage transcribe to look for the speakers again; words are not recognised again."
# The longest line that a fact carries is longer.
_MOST_OF_A_REASON = 400


def speakers_failed(reason: str, advice: str | None = None) -> str:
    """``reason`` and ``advice`` are sentences for a person."""
    return SPEAKERS_FAILED.format(reason=reason[:_MOST_OF_A_REASON], advice=advice or FIND_AGAIN)


def warnings_for(
    engine: str, *, word_count: int, complete: bool, one_speaker: str | None, told: Sequence[str] = ()
) -> list[str]:
    """In order of weight; silence needs no word about quality.

    ``one_speaker``: why there is only one. ``told``: what the engine said of its own work.
    """
    if word_count == 0 and complete:
        return [NO_SPEECH]
    return [DRAFT] * (engine in _DRAFTS) + list(dict.fromkeys(told)) + ([one_speaker] if one_speaker else [])


def edits_not_carried(count: int, revision: int) -> str:
    what = "1 correction" if count == 1 else f"{count} corrections"
    return (
        f"edits_not_carried: {what} of revision {revision} did not fit the words that were recognised this time; "
        "that revision can still be read and restored."
    )


def not_heard(heard: int, words: int) -> str:
    return (
        f"captions_not_heard: Only {heard} of {words} words of the subtitles were heard in the sound, so most times "
        "are reckoned from the others; perhaps the subtitles belong to another recording."
    )
