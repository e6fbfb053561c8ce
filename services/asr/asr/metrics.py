"""Prometheus metrics of asr; labels are bounded and never an id."""

from prometheus_client import Counter, Histogram

recordings = Counter("earshot_asr_recordings_total", "Recordings by what became of them", ["outcome"])
speakers = Counter("earshot_asr_speakers_total", "Recordings and parts by whether voices were found", ["outcome"])
parts = Counter("earshot_asr_parts_total", "Parts recognised", ["engine"])
speech = Counter("earshot_asr_speech_seconds_total", "Seconds of speech recognised", ["engine"])
words = Counter("earshot_asr_words_total", "Words recognised", ["engine"])
recognising = Counter("earshot_asr_recognising_seconds_total", "Seconds spent on recognising", ["engine"])
corrections = Counter("earshot_asr_corrections_total", "Corrections that people made, by kind", ["change"])
identifications = Counter(
    "earshot_asr_identifications_total", "What was found out about who speakers are, by what became of it", ["outcome"]
)
realtime_factor = Histogram(
    "earshot_asr_realtime_factor_ratio",
    "Seconds of work per second of speech, by part",
    ["engine"],
    buckets=(0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1, 2, 5),
)


def part_recognised(engine: str, *, speech_seconds: float, took_seconds: float, word_count: int) -> None:
    """Everything that is measured about one part."""
    parts.labels(engine).inc()
    speech.labels(engine).inc(speech_seconds)
    words.labels(engine).inc(word_count)
    recognising.labels(engine).inc(took_seconds)
    if speech_seconds > 0:
        realtime_factor.labels(engine).observe(took_seconds / speech_seconds)
