"""All tools, in the order in which agents are told of them."""

from typing import Any

from gateway.tools import ask, recordings, search, transcript
from gateway.tools.tool import Tool

TOOLS: tuple[Tool[Any, Any], ...] = (search.TOOL, ask.TOOL, transcript.TOOL, recordings.TOOL)
