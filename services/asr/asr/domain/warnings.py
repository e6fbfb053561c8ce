"""What a transcript must say about itself, each line as ``code: sentence for a person``."""

# Stated for the extra's default models on a machine without a GPU.
UPGRADE_COMMAND = "uv sync --all-packages --extra whisperx"

NO_SPEECH = "no_speech: No speech was found in this recording."
ONE_SPEAKER_ONLY = "speakers_not_separated: Speaker finding is not installed, so everything is put down to one speaker."
DRAFT = (
    "draft: This transcript is a draft by pocketsphinx; expect wrong words, above all with noise, accents and names. "
    f"For good quality install WhisperX: {UPGRADE_COMMAND}"
)


_DRAFTS = frozenset({"pocketsphinx"})


def warnings_for(engine: str, *, word_count: int, complete: bool, diarize: bool) -> list[str]:
    """In order of weight; silence needs no word about quality."""
    if word_count == 0 and complete:
        return [NO_SPEECH]
    return [DRAFT] * (engine in _DRAFTS) + [ONE_SPEAKER_ONLY] * diarize
