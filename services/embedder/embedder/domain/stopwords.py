"""English words that say nothing about a text's subject: the list of Snowball, and how people contract them."""

_WORDS = """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
    it its itself they them their theirs themselves what which who whom this that these those am is are was were be
    been being have has had having do does did doing a an the and but if or because as until while of at by for with
    about against between into through during before after above below to from up down in out on off over under again
    further then once here there when where why how all any both each few more most other some such no nor not only
    own same so than too very s t can will just don should now
    much many
    i'm i've i'll i'd you're you've you'll you'd he's he'll he'd she's she'll she'd it's it'll it'd we're we've we'll
    we'd they're they've they'll they'd that's that'll that'd there's there'll here's what's who's where's when's why's
    how's isn't aren't wasn't weren't haven't hasn't hadn't don't doesn't didn't can't couldn't won't wouldn't shouldn't
    mustn't let's
"""
ENGLISH = frozenset(_WORDS.split())

# Ordinary words of three letters that are one slip from a word without a subject, and no slip of it.
_SHORT_WORDS = """
    act add age ago aid aim air ale arm art ash ask ate axe bad bag ban bar bat bay bed bee beg bet bid big bin bit
    bow box boy bud bug bun bus buy cab cap car cat cow cry cup cut dad dam day den dew die dig dim dip dog dot dry
    due dye ear eat ebb egg ego elm end era eve eye fan far fat fax fed fee few fig fin fir fit fix flu fly fog fox
    fry fun fur gap gas gem get gin god got gum gun gut guy gym ham hat hay hen hid hip hit hog hop hot hub hue hug
    hut ice ill ink inn ion ivy jam jar jaw jet job jog joy jug key kid kin kit lab lad lag lap law lay led leg let
    lid lie lip lit log lot low mad man map mat max may men met mid mix mob mod mom mud mug nap net new nil nod nun
    nut oak oar oat odd oil old one opt orb ore owe owl pad pan par pat paw pay pea pen pet pie pig pin pit pop pot
    pub pup put rag ram ran rap rat raw ray red rib rid rig rim rip rob rod rot row rub rug rum run rye sad sat saw
    say sea see set sew sex she shy sin sip sir sit six ski sky sly sob sod son sow spa spy sue sum sun tab tag tan
    tap tar tax tea ten tie tin tip toe ton top tow toy try tub tug two use van vat vet via vow wag war wax way web
    wed wet win wit won yen yes yet zip zoo
"""
SHORT = frozenset(_SHORT_WORDS.split())
