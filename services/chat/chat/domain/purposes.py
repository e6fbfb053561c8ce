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

PURPOSES = {purpose.name: purpose for purpose in (ANSWER, FOLLOW_UP)}
