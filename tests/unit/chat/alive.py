"""What a program that shows answers as Markdown or HTML would fetch, or let its reader click."""

import re

ALIVE = re.compile(
    r"[a-z]://|www\.\w|(?<![a-z0-9])(?:data|javascript|mailto):\w|\]\((?!/r/)|\]:|<[a-z/!?]", re.IGNORECASE
)
