"""What a transcript must say about itself, each line as ``code: sentence for a person``."""

# Measured on x86-64 Linux, where torch comes with its CUDA libraries.
UPGRADE_COMMAND = "uv sync --all-packages --extra whisperx"
UPGRADE_COST = "about 4 GB to download, 7 GB on disk, 2 minutes on a fast line"

NO_SPEECH = "no_speech: No speech was found in this recording."
ONE_SPEAKER_ONLY = "speakers_not_separated: Speaker finding is not installed, so everything is put down to one speaker."
DRAFT = (
    "draft: This transcript is a draft by pocketsphinx: expect wrong words, above all with noise, accents and names, "
    f"and no punctuation but full stops at pauses. WhisperX is far better and is installed by `{UPGRADE_COMMAND}` "
    f"({UPGRADE_COST}); this version of Earshot installs it but does not use it yet."
)
_DRAFTS = frozenset({"pocketsphinx"})


def warnings_for(engine: str, *, word_count: int, complete: bool, diarize: bool) -> list[str]:
    """In order of weight; silence needs no word about quality."""
    if word_count == 0 and complete:
        return [NO_SPEECH]
    return [DRAFT] * (engine in _DRAFTS) + [ONE_SPEAKER_ONLY] * diarize
