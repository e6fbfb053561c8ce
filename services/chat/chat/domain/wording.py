"""Reads words: tokens and stems, what a question asks for, and whether a line is itself a question."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Wants = Literal["amount", "count", "time", "duration", "account", "fact"]

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

# Words that say nothing about the subject of a question: grammar, and the verbs that only frame it.
_STOP = frozenset(
    """
    a an and are as at be because but by for from had has have he her hers him his how i if in into is it its me my
    no not of on or our ours she so such than that the their theirs them then there these they this those to us was
    we were what when where which while who whom whose why will with would you your yours
    about actually also am any anyone anything been being both can could did do does doing done each every few get
    gets getting go goes going got just kind kinds let many may maybe might more most much must off one only other
    others ought over own please quite rather really same shall should some somebody someone something sort still
    thing things too very want wants well yes yeah okay oh uh um
    according conversation discussion long meeting people recording speaker
    agree agreed answer answered ask asked asks comment commented conclude concluded consider considered decide decided
    decides describe described discuss discussed discusses explain explained feel felt mention mentioned mentions opinion
    opinions plan planned propose proposed recommend recommended respond responded said say saying says speak spoke
    state stated suggest suggested suggests summarise summarize talk talked talks tell telling tells think thinking
    thinks thought thoughts told view views happen happened happens
    """.split()
)

_REPORTING = (
    r"say|said|saying|think|thought|mention|mentioned|suggest|suggested|propose|proposed|recommend|recommended|"
    r"tell|told|talk|talked|feel|felt|explain|explained|ask|asked|comment|commented|discuss|discussed|decide|decided|"
    r"conclude|concluded|agree|agreed|answer|answered|respond|responded|state|stated|describe|described|argue|argued|"
    r"believe|believed|plan|planned|promise|promised|want|wanted|learn|learned|hear|heard"
)
_ABOUT = r"about|of|on|upon|regarding|concerning|with\s+regard\s+to|as\s+to|to"
# "What did Anna say about the roof?" is about the roof: the frame would only match other talk about talking.
_FRAME = re.compile(
    rf"^\s*(?:and\s+|so\s+)?(?:what|how|why|whether|which\s+\w+)\s+"
    rf"(?:did|does|do|has|have|had|was|were|is|are|could|would|can|should)\s+"
    rf"(?:(?P<subject>[^?]{{0,60}}?)\s+)?(?:{_REPORTING})\s+(?:{_ABOUT}\s+)?(?P<topic>[^?]{{3,}})",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"^\s*(?:please\s+)?(?:summari[sz]e|describe|explain|recap|outline|list)\s+"
    r"(?:(?:the|their|its|our|all)\s+)?(?:(?:discussions?|conversations?|talks?|opinions?|views?|ideas?|thoughts?)\s+"
    r"(?:about|of|on|regarding|concerning)\s+)?(?P<topic>[^?]{3,})",
    re.IGNORECASE,
)

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_NUMBER_WORDS = frozenset(
    f"{_UNITS} eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion "
    "dozen half quarter percent".split()
)
_ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth thirtieth".split()
)
_MONEY = frozenset("dollar euro pound cent money percent price rent budget yen franc salary".split())
_DATES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday today tomorrow yesterday tonight morning afternoon evening noon midnight spring "
    "summer autumn fall winter week month year day clock quarter deadline weekend".split()
)
_SPANS = frozenset("second minute hour day week month quarter year decade fortnight".split())

_WANTS: tuple[tuple[re.Pattern[str], Wants], ...] = (
    (re.compile(r"\bhow\s+(?:long|often)\b", re.I), "duration"),
    (re.compile(r"\bhow\s+many\b|\bwhat\s+(?:number|share|percentage)\b", re.I), "count"),
    (re.compile(r"\bhow\s+(?:much|high|large|big|expensive)\b|\bwhat\b.*\b(?:cost|price|rate|fee|budget)s?\b", re.I), "amount"),
    (re.compile(r"^\W*(?:and\s+)?when\b|\b(?:by|since|until|on)?\s*(?:what|which)\s+(?:time|date|day|month|year)\b", re.I), "time"),
)
_ACCOUNT = re.compile(
    rf"^\W*(?:why|how\s+(?:did|does|do|would|should|could|was|were|is|are)|what\b.*\b(?:{_REPORTING})\b)|\bsummari[sz]e\b",
    re.I,
)
_AUXILIARY = r"(?:do|does|did|is|are|was|were|can|could|would|should|will|shall|has|have|had|may|might)"
_PERSON = r"(?:i|we|you|he|she|it|they|that|this|there|the|these|those|your|our|my|his|her|their|anyone|anybody|everyone)"
# A draft has no question marks; "what did you", "how much would", "can they", "what about" give a question away.
_LEAD = r"(?:^|\b(?:and|but|so|or|okay|now|then|well)\s+)"
_ASKING = re.compile(
    rf"(?:{_LEAD}|^[\w']+\s+)(?:what|who|whom|whose|where|when|why|which|how)\s+"
    rf"(?:(?:\w+\s+){{0,2}}?{_AUXILIARY}\s+(?:{_PERSON}\b|\w+\s*$)|(?:is|are|was|were|about)\s)"
    rf"|{_LEAD}{_AUXILIARY}\s+{_PERSON}\b",
    re.I,
)
_ANNOUNCING = frozenset("question agenda item topic subject meet point".split())


@dataclass(frozen=True)
class Question:
    """``topic`` is the question without its frame; ``terms`` are its telling stems, ``names`` those written as names."""

    text: str
    topic: str
    terms: tuple[str, ...]
    names: frozenset[str]
    wants: Wants


def tokens(text: str) -> list[str]:
    """Words in lower case, apostrophes kept inside."""
    return [match.group().lower().replace("’", "'") for match in _TOKEN.finditer(text)]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A blunt stem: enough to match plural, tense and possession, never shorter than three letters."""
    word = word.removesuffix("'s").removesuffix("'")
    for suffix, instead in (("iest", "y"), ("ies", "y"), ("ied", "y"), ("ing", ""), ("edly", ""), ("ed", ""), ("es", ""), ("s", ""), ("ly", "")):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + instead
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] or len(word) > 3 and word.endswith("e") else word


def telling_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that carry meaning, each once, in order."""
    return tuple(dict.fromkeys(stem(word) for word in tokens(text) if word not in _STOP and len(word) > 1))


def read_question(text: str) -> Question:
    """What is asked for. A question that is all frame keeps its whole text as topic."""
    frame = _FRAME.match(text) or _REQUEST.match(text)
    topic = frame.group("topic").strip(" ?.!") if frame else text.strip()
    terms = telling_stems(topic)
    if not terms:
        topic, terms = text.strip(), telling_stems(text)
    return Question(text=text, topic=topic, terms=terms, names=_names(text), wants=_wants(text))


def is_question(line: str) -> bool:
    """Whether a line asks rather than tells, with or without punctuation."""
    return line.rstrip().endswith("?") or bool(_ASKING.match(line.strip()))


def announces(words: Iterable[str]) -> bool:
    """Whether a line talks about the conversation itself ("the second question is parking") and so tells little."""
    return any(stem(word) in _ANNOUNCING for word in words)


def gives(wants: Wants, words: Iterable[str]) -> bool:
    """Whether a line with these words could state the wanted kind of thing."""
    stems = {stem(word) for word in words} | set(words)
    numbers = bool(stems & _NUMBER_WORDS) or any(word[0].isdigit() for word in stems)
    if wants == "amount":
        return numbers and bool(stems & _MONEY) or any("$" in word or "€" in word for word in stems)
    if wants == "count":
        return numbers
    if wants == "time":
        return bool(stems & _DATES) or bool(stems & _ORDINALS)
    if wants == "duration":
        return bool(stems & _SPANS) and (numbers or bool(stems & {"every", "each", "once", "twice"}))
    return False


def _wants(text: str) -> Wants:
    for pattern, wants in _WANTS:
        if pattern.search(text):
            return wants
    return "account" if _ACCOUNT.search(text) else "fact"


def _names(text: str) -> frozenset[str]:
    """Stems of the words written with a capital inside the question: perhaps a speaker whose name nobody knows yet."""
    words = [match.group() for match in _TOKEN.finditer(text)]
    return frozenset(stem(word.lower()) for word in words[1:] if word[0].isupper() and not word.isupper())
