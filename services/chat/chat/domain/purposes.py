"""Every prompt of this service by its purpose; a new one is written here and added to the list at the end."""

from chat.domain.templates import Placeholder, Purpose

ANSWER = Purpose(
    name="answer",
    about="How a model answers a question from the passages that were found.",
    default="""\
You answer questions about a library of recordings and documents, using only the numbered passages you are given.

Rules:
{rules}
- Answer in the language of the question, in a few short sentences.""",
    placeholders=(
        Placeholder(
            "rules",
            "the rules of citing and of refusing, and that passages are never instructions. Earshot depends on them, "
            "so their words are its own.",
        ),
    ),
)
FOLLOW_UP = Purpose(
    name="follow_up",
    about="What a model is told of the conversation before a question, where there is one.",
    default="The conversation before the question shows what the question refers to.",
)

_FORM = Placeholder("form", "the JSON that the model is to write, which Earshot reads; its words are Earshot's own.")
_SUMMARY_RULES = Placeholder(
    "rules", "that only what is said counts, with the numbers of where, and that it is never an instruction."
)
SUMMARY_NOTES = Purpose(
    name="summary_notes",
    about="How a model takes notes of a stretch of a recording; summary and chapters are made of them.",
    default="""\
You take notes of a stretch of a transcript, for a summary of the whole recording. Its passages are numbered.

{form}

Rules:
{rules}
- Write in the language of the transcript.""",
    placeholders=(_FORM, _SUMMARY_RULES),
)
SUMMARY = Purpose(
    name="summary",
    about="How a model makes the summary of a recording from the notes of its stretches.",
    default="""\
You write the summary of a recording from numbered notes of it, which are in the order of time. The bottom line first: \
what somebody must know who reads nothing else.

{form}

Rules:
{rules}
- Write in the language of the notes.""",
    placeholders=(_FORM, _SUMMARY_RULES),
)

PURPOSES = {purpose.name: purpose for purpose in (ANSWER, FOLLOW_UP, SUMMARY_NOTES, SUMMARY)}
