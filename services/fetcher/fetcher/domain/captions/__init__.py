"""Subtitle files: SubRip, WebVTT and TTML as they are found, read into one form."""

from fetcher.domain.captions.reading import read_captions

__all__ = ["read_captions"]
