"""Reads a question: what it is about, what kind of thing it wants; and tells asking lines from telling ones."""

import re
from dataclasses import dataclass
from typing import Literal

from chat.domain import wording

# An account is what somebody said, a discussion what was said for and against: it takes a whole stretch of talk.
Wants = Literal["amount", "count", "time", "duration", "discussion", "account", "fact"]

_REPORTING = (
    r"(?:say|said|saying|think|thought|mention|mentioned|suggest|suggested|propose|proposed|recommend|recommended|"
    r"tell|told|talk|talked|feel|felt|explain|explained|ask|asked|comment|commented|discuss|discussed|decide|decided|"
    r"conclude|concluded|agree|agreed|answer|answered|respond|responded|state|stated|describe|described|argue|argued|"
    r"believe|believed|plan|planned|promise|promised|want|wanted|learn|learned|hear|heard)"
)
_AUXILIARY = r"(?:do|does|did|is|are|was|were|can|could|would|should|will|shall|has|have|had|may|might)"
_PERSON = (
    r"(?:i|we|you|he|she|it|they|that|this|there|the|a|an|these|those|your|our|my|his|her|their|anyone|anybody|"
    r"everyone)"
)
_ABOUT = r"(?:about|of|on|upon|regarding|concerning|with\s+regard\s+to|as\s+to|to)"

# "What did Anna say about the roof?" is about the roof: the frame would only match other talk about talking.
_FRAME = re.compile(
    rf"^\s*(?:(?:and|so)\s+)?(?:what|how|why|whether|which\s+\w+)\s+{_AUXILIARY}\s+"
    rf"(?:[^?]{{0,60}}?\s+)?{_REPORTING}\s+(?:{_ABOUT}\s+)?(?P<topic>[^?]{{3,}})",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"^\s*(?:please\s+)?(?:summari[sz]e|describe|explain|recap|outline|list)\s+(?:(?:the|their|its|our|all)\s+)?"
    rf"(?:(?:discussions?|conversations?|talks?|opinions?|views?|ideas?|thoughts?)\s+{_ABOUT}\s+)?(?P<topic>[^?]{{3,}})",
    re.IGNORECASE,
)
_DEBATING = (
    r"(?:discuss(?:ed|ing)?|talk(?:ed)?|debated?|think|thought|feel|felt|argued?|disagreed?|elaborated?|comment(?:ed)?|"
    r"respond(?:ed)?|explain(?:ed)?|describe|introduced?|approach(?:ed)?)"
)
_DEBATE = (
    r"(?:discussions?|conversations?|talks?|debates?|controvers(?:y|ies)|arguments?|opinions?|views?|comments?|"
    r"conclusions?|presentations?)"
)
_ON = r"(?:about|of|on|over|towards?|regarding|concerning)"
_WANTS: tuple[tuple[re.Pattern[str], Wants], ...] = (
    (re.compile(r"\bhow\s+(?:long|often)\b", re.I), "duration"),
    (re.compile(r"\bhow\s+many\b|\bwhat\s+(?:number|share|percentage)\b", re.I), "count"),
    (
        re.compile(
            rf"\bsummari[sz]e\b|^\W*(?:(?:please|and|so|but)\s+)?(?:recap|outline|describe|explain|why)\b|"
            rf"^\W*(?:what|how)(?:['’]s|\s+{_AUXILIARY})\s.*?\b(?:{_DEBATING}\b|{_DEBATE}\s+(?:\w+\s+)?{_ON}\b)",
            re.I,
        ),
        "discussion",
    ),
    (
        re.compile(r"\bhow\s+(?:much|high|large|big|expensive)\b|\bwhat\b.*\b(?:cost|price|rate|fee|budget)s?\b", re.I),
        "amount",
    ),
    (re.compile(r"^\W*(?:and\s+)?when\b|\b(?:what|which)\s+(?:time|date|day|month|year)\b", re.I), "time"),
    (re.compile(rf"^\W*(?:how\s+{_AUXILIARY}\b|what\b.*\b{_REPORTING}\b)", re.I), "account"),
)

# A draft has no question marks; "what did you", "how much would", "can they", "what about" give a question away.
_LEAD = r"(?:^|\b(?:and|but|so|or|okay|now|then|well)\s+)"
_ASKING = re.compile(
    rf"(?:{_LEAD}|^[\w']+\s+)(?:what|who|whom|whose|where|when|why|which|how)\s+"
    rf"(?:(?:\w+\s+){{0,2}}?{_AUXILIARY}\s+(?:{_PERSON}\b|\w+\s*$)|(?:is|are|was|were|about)\s)"
    rf"|{_LEAD}{_AUXILIARY}\s+{_PERSON}\b",
    re.IGNORECASE,
)
_ANNOUNCING = wording.vocabulary("""
    question agenda item topic subject meet point
""")

_NUMBERS = wording.vocabulary("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen
    half quarter percent first second third fourth fifth sixth seventh eighth ninth tenth
""")
_MONEY = wording.vocabulary("""
    dollar euro pound cent money percent price rent budget yen franc salary
""")
_DATES = wording.vocabulary("""
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday today tomorrow yesterday tonight morning afternoon evening noon midnight spring
    summer autumn fall winter week month year day date clock quarter deadline weekend first second third fourth
    fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth
    eighteenth nineteenth twentieth thirtieth
""")
_SPANS = wording.vocabulary("""
    second minute hour day week month quarter year decade fortnight
""")
_RHYTHM = wording.vocabulary("""
    every each once twice daily weekly monthly yearly
""")


@dataclass(frozen=True)
class Question:
    """``topic`` is the question without its frame; ``terms`` are its telling stems, ``names`` those of likely names."""

    text: str
    topic: str
    terms: tuple[str, ...]
    names: frozenset[str]
    wants: Wants


def read_question(text: str) -> Question:
    """What is asked for. A question that is all frame keeps its whole text as topic."""
    text = " ".join(text.split())
    frame = _FRAME.match(text) or _REQUEST.match(text)
    topic = frame.group("topic").strip(" ?.!") if frame else text
    if not wording.telling_stems(topic):
        topic = text
    return Question(text, topic, wording.telling_stems(topic), wording.capitalised_stems(text), _wants(text))


def _wants(text: str) -> Wants:
    for pattern, wants in _WANTS:
        if pattern.search(text):
            return wants
    return "fact"


def asks(line: str) -> bool:
    """Whether a line asks rather than tells, with or without punctuation."""
    return line.rstrip().endswith("?") or bool(_ASKING.match(line.strip()))


def announces(line: str) -> bool:
    """Whether a line is about the conversation itself ("the second question is parking") and so tells little."""
    return bool(wording.stems(line) & _ANNOUNCING)


def gives(wants: Wants, line: str) -> bool:
    """Whether a line could state the wanted kind of thing."""
    words = set(wording.tokens(line))
    known = words | {wording.stem(word) for word in words}
    number = bool(known & _NUMBERS) or any(char.isdigit() for char in line)
    if wants == "amount":
        return number and (bool(known & _MONEY) or any(sign in line for sign in "$€£¥%"))
    if wants == "count":
        return number
    if wants == "time":
        return bool(known & _DATES) or bool(re.search(r"\b\d{1,2}(?::\d\d|st|nd|rd|th)\b|\b(?:19|20)\d\d\b", line))
    if wants == "duration":
        return bool(known & _SPANS) and (number or bool(known & _RHYTHM))
    return False
