"""The process that holds a diarizer's models: one JSON request per line in, one JSON answer per line out.

    {"do": "find", "path": …, "start": null, "end": 61.2, "utterances": [[0.4, 3.1], …]}  ->  {"voices": base64}
    {"do": "group", "voices": base64, "least": 1, "most": null}  ->  {"groups": [[0, -1, 1], …]}

Every request also says ``pipeline``, ``device``, ``batch`` and ``threads``. An answer may be an ``error`` instead, with
``advice`` where trying again helps nothing. Torch takes seconds to import and gigabytes to run, and a model that breaks
breaks this process alone. It ends when its input does, that is also when its parent is killed.
"""

import base64
import importlib
import json
import os
import signal
import sys
import warnings
from typing import Any, TextIO

from asr.domain.grouping import Limits
from asr.domain.packing import pack, unpack
from asr.domain.spans import Span
from asr.domain.stretch import Stretch
from asr.providers.voices_builtin import BuiltinVoices
from asr.providers.voices_find import Ears, find_voices
from asr.providers.voices_pyannote import ModelMissing, PyannoteVoices

_NICENESS = 5


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    # The cores are shared with recognisers; threads that wait for each other must not keep them busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.simplefilter("ignore")
    answers = _own_output()
    ears: Ears | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            ears = ears or load(request)
            reply = answer(ears, request)
        except ModelMissing as error:
            reply = {"error": str(error), "advice": error.advice}
        except Exception as error:  # noqa: BLE001  # whatever the models raise, the transcript goes on without them
            reply = {"error": f"{type(error).__name__}: {error}"[:1000]}
        print(json.dumps(reply), file=answers, flush=True)


def _own_output() -> TextIO:
    """What libraries print goes to the log, not between the answers."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def load(request: dict[str, Any]) -> Ears:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(request["threads"])
    device = request["device"]
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if request["pipeline"] is None:
        return BuiltinVoices(device)
    return PyannoteVoices(request["pipeline"], device)


def answer(ears: Ears, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "group":
        voices = unpack(base64.b64decode(request["voices"]))
        return {"groups": ears.groups(voices, Limits(request["least"], request["most"])).tolist()}
    utterances = tuple(Span(*utterance) for utterance in request["utterances"])
    stretch = Stretch(request["start"], request["end"], utterances)
    return {"voices": base64.b64encode(pack(find_voices(ears, request["path"], stretch, request["batch"]))).decode()}


if __name__ == "__main__":
    main()
