"""A session's first title: its first question, shortened."""

_LONGEST = 80


def title_of(question: str) -> str:
    """At most 80 characters on one line, cut between words where there are any, without the question's end mark."""
    words = " ".join(question.split())
    if len(words) > _LONGEST:
        kept = words[: _LONGEST - 1]
        cut = kept.rfind(" ")
        return (kept[:cut] if cut > _LONGEST // 2 else kept).rstrip(" ,;:.–-") + "…"
    return words.rstrip("?!. ") or words
