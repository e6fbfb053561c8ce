"""The language of a text by its commonest words or its script; good enough to stem by, and silent when in doubt."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice

# Words that are common in their language and rare in the others here.
_COMMON = {
    "en": "the and of to is that it you was for are this with have what they not be on we do your there know just",
    "de": "der die und das ist nicht ich wir ein sie mit den auch sich auf eine aber wenn noch dass wie habe sind",
    "fr": "le les et est des une que pas je vous dans pour qui nous il elle avec sur mais cette c'est être ça du",
    "es": "el los que y es una por con para las pero como más está muy hay esto todo cuando del lo nosotros usted",
    "it": "il che di è una per non sono con gli della anche questo come più ma ho perché cosa hai della nel alla",
    "pt": "o que não uma os para com mais você isso está muito tem são mas foi ele ela por também aqui então do da",
    "nl": "het een van ik je dat niet en we zijn met voor maar wat hebben dit ook naar heb hij deze wel geen",
    "sv": "och det att jag är inte som en på har med för vi han den till men om de vad så kan ett av",
    "pl": "nie się jest że na to co jak ale czy tak już do jestem mnie ja tym dla był tylko jeszcze z i w",
    "ru": "и в не на что я он с как это но она мы вы по за то все так его только был меня у же бы",
}
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
}
# ISO 639-2 as media files have it, by 639-1; where a language has two such codes, both.
_LONG = (
    "en:eng de:deu,ger fr:fra,fre es:spa it:ita pt:por nl:nld,dut sv:swe pl:pol ru:rus ja:jpn ko:kor zh:zho,chi ar:ara "
    "he:heb el:ell,gre hi:hin uk:ukr tr:tur da:dan no:nor fi:fin cs:ces,cze sk:slk,slo hu:hun ro:ron,rum bg:bul hr:hrv "
    "sr:srp sl:slv vi:vie id:ind th:tha ms:msa,may ca:cat et:est lv:lav lt:lit fa:fas,per eu:eus,baq cy:cym,wel "
    "is:isl,ice ka:kat,geo hy:hye,arm mk:mkd,mac sq:sqi,alb"
)
_SHORT = {
    long: short for short, _, longs in (each.partition(":") for each in _LONG.split()) for long in longs.split(",")
}
# Undetermined, several, none, and those without a code.
_NO_LANGUAGE = frozenset({"und", "mul", "zxx", "mis", "unk"})
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENOUGH_CUES = 2000
# Of all words so many are common ones, and clearly more than of the next language.
_LEAST_SHARE, _CLEARLY = 0.1, 1.3
_LEAST_HITS = 3


def code_of(tag: str | None) -> str | None:
    """``en`` for ``en``, ``eng`` and ``en-US``; None for what names no language."""
    first = re.split(r"[-_]", (tag or "").strip().lower(), maxsplit=1)[0]
    if not 2 <= len(first) <= 3 or not first.isalpha() or first in _NO_LANGUAGE:
        return None
    return _SHORT.get(first, first)


def language_of(texts: Iterable[str]) -> str | None:
    """An ISO 639-1 code; None when nothing tells."""
    text = "\n".join(islice(texts, _ENOUGH_CUES)).lower()
    words = Counter(_WORD.findall(text))
    total = words.total()
    for code, script in _SCRIPTS.items():
        if len(script.findall(text)) > 0.2 * max(1, len(re.sub(r"[\W\d_]", "", text))):
            return code
    hits = sorted(
        ((sum(words[word] for word in common.split()), code) for code, common in _COMMON.items()), reverse=True
    )
    (best, code), (second, _) = hits[:2]
    if best < _LEAST_HITS or best < _LEAST_SHARE * total or best < _CLEARLY * second:
        return None
    return code
