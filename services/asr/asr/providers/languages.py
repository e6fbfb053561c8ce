"""The languages that Whisper knows: ISO 639-1 codes, and what services call them."""

_NAMES = (
    "en:english zh:chinese de:german es:spanish ru:russian ko:korean fr:french ja:japanese pt:portuguese "
    "tr:turkish pl:polish ca:catalan nl:dutch ar:arabic sv:swedish it:italian id:indonesian hi:hindi "
    "fi:finnish vi:vietnamese he:hebrew uk:ukrainian el:greek ms:malay cs:czech ro:romanian da:danish "
    "hu:hungarian ta:tamil no:norwegian th:thai ur:urdu hr:croatian bg:bulgarian lt:lithuanian la:latin "
    "mi:maori ml:malayalam cy:welsh sk:slovak te:telugu fa:persian lv:latvian bn:bengali sr:serbian "
    "az:azerbaijani sl:slovenian kn:kannada et:estonian mk:macedonian br:breton eu:basque is:icelandic "
    "hy:armenian ne:nepali mn:mongolian bs:bosnian kk:kazakh sq:albanian sw:swahili gl:galician mr:marathi "
    "pa:punjabi si:sinhala km:khmer sn:shona yo:yoruba so:somali af:afrikaans oc:occitan ka:georgian "
    "be:belarusian tg:tajik sd:sindhi gu:gujarati am:amharic yi:yiddish lo:lao uz:uzbek fo:faroese "
    "ht:haitian-creole ps:pashto tk:turkmen nn:nynorsk mt:maltese sa:sanskrit lb:luxembourgish my:myanmar "
    "bo:tibetan tl:tagalog mg:malagasy as:assamese tt:tatar haw:hawaiian ln:lingala ha:hausa ba:bashkir "
    "jw:javanese su:sundanese yue:cantonese"
)
# ISO 639-2 codes, in which ElevenLabs answers; of the languages most often spoken.
_LONG_CODES = (
    "en:eng de:deu es:spa fr:fra it:ita pt:por nl:nld pl:pol ru:rus uk:ukr zh:zho ja:jpn ko:kor ar:ara hi:hin "
    "tr:tur sv:swe da:dan no:nor fi:fin cs:ces sk:slk hu:hun ro:ron bg:bul hr:hrv sr:srp sl:slv el:ell he:heb "
    "vi:vie id:ind th:tha ms:msa ca:cat et:est lv:lav lt:lit fa:fas"
)


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(code, name) for code, _, name in (pair.partition(":") for pair in text.split())]


WHISPER_LANGUAGES = frozenset(code for code, _ in _pairs(_NAMES))
_CODES = {name: code for text in (_NAMES, _LONG_CODES) for code, name in _pairs(text)}


def code_of(name: str | None) -> str | None:
    """The ISO 639-1 code of "english", "eng", "en" or "en-US"; None for nothing and for what nobody knows."""
    plain = (name or "").strip().lower().replace(" ", "-")
    short = plain.split("-")[0]
    return _CODES.get(plain) or _CODES.get(short) or (short if short in WHISPER_LANGUAGES else None)
