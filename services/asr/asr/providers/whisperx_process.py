"""The process that holds Whisper: JSON questions in, one a line, and JSON answers out, in the order they get ready.

    {"model": "large-v3", …}                                                     the options, first and once
    {"id": 7, "act": "recognise", "path": "/scratch/a.flac", "spans": [[1.2, 28.9], …],
     "language": "en", "initial_prompt": "", "key_terms": "Martin, Peter"}
        ->  {"id": 7, "at": 0, "words": [["Hello", 1.31, 1.62, 0.97], …], "warnings": []}     for each span
    {"id": 8, "act": "find_language", "path": …, "spans": …}  ->  {"id": 8, "language": "en"}
    {"id": 7, "act": "drop"}                                      nobody waits for the rest

Three kinds of threads keep the accelerator at work: some read sound and make spectrograms, one puts windows of all
questions together to batches and recognises them, some time the words. The process ends when its input does.
"""

import json
import os
import signal
import sys
from typing import IO, Any

from asr.providers.whisperx_work import Work

_NICENESS = 5


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    answers = _claim_stdout()
    work = Work(json.loads(sys.stdin.readline()), lambda line: _say(answers, line))
    work.start()
    for line in sys.stdin:
        work.take(json.loads(line))
    # Not sys.exit: it would wait for threads that are in the middle of a batch.
    os._exit(0)


def _claim_stdout() -> IO[str]:
    """The answers' own way out; what libraries print goes to the log."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def _say(answers: IO[str], line: dict[str, Any]) -> None:
    try:
        print(json.dumps(line), file=answers, flush=True)
    except OSError:  # the parent is gone
        os._exit(1)


if __name__ == "__main__":
    main()
