"""A child in the place of WhisperX's: the words of every span are what it was asked with."""

import json
import sys

sys.stdin.readline()
for line in sys.stdin:
    question = json.loads(line)
    told = [question["language"], question["initial_prompt"], question["key_terms"]]
    for at, _ in enumerate(question["spans"]):
        words = [[text or "-", 0.0, 1.0, 1.0] for text in told]
        print(json.dumps({"id": question["id"], "at": at, "words": words, "warnings": []}), flush=True)
