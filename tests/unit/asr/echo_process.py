"""A child that answers what it is asked: once for ``say``, never for ``hush``, and by ending for ``die``."""

import json
import sys

first = True
for line in sys.stdin:
    question = json.loads(line)
    if question.get("say") is not None:
        answer = {"said": question["say"], **({"id": question["id"]} if "id" in question else {})}
        print(json.dumps(answer), flush=True)
    if question.get("die"):
        sys.exit(3)
    if first and "greeting" in question:
        print(json.dumps({"greeted": question["greeting"]}), flush=True)
    first = False
