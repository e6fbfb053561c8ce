"""How long hypothesis looks: the same short look every time, or a longer one for whoever asks.

``EARSHOT_PROPERTY_TIMES=20`` looks at twenty times as many examples, new ones each time.
"""

import os

from hypothesis import HealthCheck, settings

_TIMES = int(os.environ.get("EARSHOT_PROPERTY_TIMES", "1"))


def effort(examples: int, *, steps: int = 50) -> settings:
    """Every example is a history on a real database: no deadline, and no database of examples beside it."""
    from hypothesis import Phase

    return settings(
        phases=[Phase.generate],
        max_examples=examples * _TIMES,
        stateful_step_count=steps,
        derandomize=_TIMES == 1,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
