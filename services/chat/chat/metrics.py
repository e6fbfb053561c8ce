"""What the chat service measures; labels are bounded and never an id."""

from prometheus_client import Counter, Gauge, Histogram

answers = Counter("earshot_chat_answers_total", "Answers by provider and outcome", ["provider", "outcome"])
running = Gauge("earshot_chat_running_answers", "Answers being written by this process")
first_text = Histogram(
    "earshot_chat_first_text_seconds",
    "Time from the question to the first text of its answer",
    ["provider"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60),
)
retrieval = Histogram(
    "earshot_chat_retrieval_seconds",
    "Time to find the passages",
    buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20),
)
comparison = Histogram(
    "earshot_chat_comparison_seconds",
    "Time to have lines compared with a question or a sentence",
    buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20),
)
passages = Histogram(
    "earshot_chat_retrieved_passages", "Passages found for a question", buckets=(0, 1, 2, 4, 8, 16, 40)
)
citations = Counter("earshot_chat_citations_total", "Citations in answers: kept, unknown or unsupported", ["fate"])
used_tokens = Counter(
    "earshot_chat_model_tokens_total",
    "Tokens that providers counted: input, of it cached_input, and output",
    ["provider", "direction"],
)
summaries = Counter("earshot_chat_summaries_total", "Summaries by provider and outcome", ["provider", "outcome"])
summary_steps = Counter(
    "earshot_chat_summary_steps_total", "Steps of summaries: asked of a model, or known from before", ["step"]
)
statements = Counter("earshot_chat_summary_statements_total", "Statements of models: kept or unsupported", ["fate"])
agui_streams = Counter(
    "earshot_chat_agui_streams_total", "Streams of AG-UI by their end: finished, cancelled, failed, left", ["end"]
)
cost = Counter(
    "earshot_chat_model_cost_dollars_total", "What these tokens cost, by the prices given", ["provider", "model"]
)
fallbacks = Counter(
    "earshot_chat_model_fallbacks_total",
    "Times that the next model took over, by the provider that failed and how",
    ["provider", "error_type"],
)
instruction_changes = Counter(
    "earshot_chat_instruction_changes_total",
    "Changes of custom instructions: created, edited, activated, deactivated, deleted",
    ["change"],
)
instruction_previews = Counter(
    "earshot_chat_instruction_previews_total", "Sample questions answered to try a draft, by provider", ["provider"]
)
prompt_changes = Counter(
    "earshot_chat_prompt_changes_total", "Prompts written anew (customised) or gone back to (reverted)", ["change"]
)
cache_lookups = Counter(
    "earshot_chat_cache_lookups_total",
    "Answers that may be shared: hit (kept), shared (being written), miss (written), bypass (written on request)",
    ["outcome"],
)
