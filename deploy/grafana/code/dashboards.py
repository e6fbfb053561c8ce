"""The four dashboards. `make dashboards` writes them to deploy/grafana/dashboards; a test runs every expression."""

from panels import Dashboard, Panel, Query, Row, Variable

# Grafana puts in what fits the distance of its points and of Prometheus' scrapes.
_OVER = "[$__rate_interval]"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> Query:
    """The share-th quantile of a histogram, for each value of ``by``."""
    labels = f"le, {by}" if by else "le"
    name = f"p{share * 100:g}"
    legend = f"{{{{{by}}}}} {name}" if by else name
    inner = f"sum by ({labels}) (rate({histogram}_bucket{where}{_OVER}))"
    return Query(f"histogram_quantile({share:g}, {inner})", legend)


def per_second(counter: str, by: str = "", where: str = "") -> Query:
    grouped = f"sum by ({by})" if by else "sum"
    return Query(f"{grouped} (rate({counter}{where}{_OVER}))", f"{{{{{by}}}}}" if by else "all")


def gauge(name: str, by: str) -> Query:
    """Of several processes that say the same the one that says most."""
    return Query(f"max by ({by}) ({name})", f"{{{{{by}}}}}")


_KIND = '{kind=~"$kind"}'
_FAILED = '{kind=~"$kind", status="failed"}'

PIPELINE = Dashboard(
    "earshot-pipeline",
    "Earshot: pipeline",
    "Recordings on their way from the address or upload to the index.",
    "operations.md#when-something-is-wrong",
    [
        Row(
            "Under way",
            [
                Panel(
                    "Jobs by stage",
                    "Assets that are waiting or being processed, by the stage that they are in.",
                    "short",
                    [Query(f"sum by (stage) (max by (kind, stage) (earshot_gateway_stage_jobs{_KIND}))", "{{stage}}")],
                    width=6,
                ),
                Panel(
                    "Jobs by kind",
                    "The same by what they are: recordings, documents, conversations.",
                    "short",
                    [Query(f"sum by (kind) (max by (kind, stage) (earshot_gateway_stage_jobs{_KIND}))", "{{kind}}")],
                    width=6,
                ),
                Panel(
                    "Longest in its stage",
                    "How long the asset that came first into a stage has been in it. One that only rises is stuck: look at its timeline, and at the messaging dashboard.",
                    "s",
                    [gauge(f"earshot_gateway_stage_oldest_seconds{_KIND}", "stage")],
                    width=6,
                ),
                Panel(
                    "Messages in queues",
                    "Ready and unacknowledged messages of each queue, as the broker counts them.",
                    "short",
                    [Query("sum by (queue) (rabbitmq_detailed_queue_messages)", "{{queue}}")],
                    width=6,
                ),
            ],
        ),
        Row(
            "Done",
            [
                Panel(
                    "Jobs that ended",
                    "Jobs a second by how they ended.",
                    "ops",
                    [per_second("earshot_gateway_jobs_finished_total", "status", _KIND)],
                ),
                Panel(
                    "Failures by category",
                    "Failed jobs a second, by category; docs/errors.md says what each means and what to do.",
                    "ops",
                    [per_second("earshot_gateway_jobs_finished_total", "category", _FAILED)],
                ),
                Panel(
                    "Duration of stages",
                    "Time from a stage's beginning to its end, waiting included.",
                    "s",
                    [
                        quantile(0.5, "earshot_gateway_stage_duration_seconds", "stage", _KIND),
                        quantile(0.95, "earshot_gateway_stage_duration_seconds", "stage", _KIND),
                    ],
                ),
            ],
        ),
        Row(
            "Recognition",
            [
                Panel(
                    "Recognised speech",
                    "Seconds of speech recognised in a second, by engine: 10 means ten times as fast as it is spoken.",
                    "short",
                    [per_second("earshot_asr_speech_seconds_total", "engine")],
                ),
                Panel(
                    "Realtime factor",
                    "Seconds of work for a second of speech, by engine; below 1 is faster than speech.",
                    "short",
                    [
                        quantile(0.5, "earshot_asr_realtime_factor_ratio", "engine"),
                        quantile(0.95, "earshot_asr_realtime_factor_ratio", "engine"),
                    ],
                ),
                Panel(
                    "Busy recognisers",
                    "Share of the time in which a worker recognises, all parts that it takes at once added up. Near 1 everywhere and messages in asr's queues: more workers help.",
                    "percentunit",
                    [Query(f"sum by (instance) (rate(earshot_asr_recognising_seconds_total{_OVER}))", "{{instance}}")],
                ),
                Panel(
                    "Cost of a recorded hour",
                    "Price of a worker's hour (above) times its hours of work for an hour of speech. Idle workers are not in it.",
                    "currencyUSD",
                    [
                        Query(
                            "$price * sum(increase(earshot_asr_recognising_seconds_total[$__range])) / sum(increase(earshot_asr_speech_seconds_total[$__range]))",
                            "an hour of speech",
                        )
                    ],
                    kind="stat",
                ),
                Panel(
                    "Words",
                    "Words recognised a second, by engine.",
                    "ops",
                    [per_second("earshot_asr_words_total", "engine")],
                ),
                Panel(
                    "Voices",
                    "Recordings and parts a second, by whether voices were found in them.",
                    "ops",
                    [per_second("earshot_asr_speakers_total", "outcome")],
                    still=True,
                ),
            ],
        ),
        Row(
            "Fetching and indexing",
            [
                Panel(
                    "Steps of fetching",
                    "95th percentile of the duration of each step.",
                    "s",
                    [quantile(0.95, "earshot_fetcher_step_seconds", "step")],
                ),
                Panel(
                    "Bytes",
                    "Bytes a second from the web, from uploads, and to listeners.",
                    "Bps",
                    [
                        Query(f"sum (rate(earshot_fetcher_downloaded_bytes_total{_OVER}))", "downloaded"),
                        Query(f"sum (rate(earshot_fetcher_uploaded_bytes_total{_OVER}))", "uploaded"),
                        Query(f"sum (rate(earshot_fetcher_served_bytes_total{_OVER}))", "served"),
                    ],
                ),
                Panel(
                    "Sound made ready",
                    "Seconds of sound made ready for recognition in a second.",
                    "short",
                    [Query(f"sum (rate(earshot_fetcher_recorded_seconds_total{_OVER}))", "sound")],
                ),
                Panel(
                    "Steps of indexing",
                    "95th percentile of the duration of each step.",
                    "s",
                    [quantile(0.95, "earshot_embedder_step_seconds", "step")],
                ),
                Panel(
                    "Chunks",
                    "Chunks made findable a second.",
                    "ops",
                    [Query(f"sum (rate(earshot_embedder_chunks_total{_OVER}))", "chunks")],
                ),
                Panel(
                    "Backfill",
                    "Batches of chunks that a new model has yet to embed.",
                    "short",
                    [Query("max (earshot_embedder_backfill_batches)", "batches")],
                    still=True,
                ),
            ],
        ),
    ],
    [
        Variable("kind", "Kind", "label_values(earshot_gateway_stage_jobs, kind)"),
        Variable("price", "Price of a worker's hour", default="2.5"),
    ],
)

ANSWERS = Dashboard(
    "earshot-answers",
    "Earshot: search and answers",
    "What people ask, how fast they are served, and how well the answers are founded.",
    "search.md",
    [
        Row(
            "Search",
            [
                Panel(
                    "Searches",
                    "Searches and retrievals a second, by mode.",
                    "ops",
                    [Query(f"sum by (mode) (rate(earshot_embedder_search_seconds_count{_OVER}))", "{{mode}}")],
                ),
                Panel(
                    "Latency of search",
                    "Time of one search, the embedding of the query included.",
                    "s",
                    [
                        quantile(0.5, "earshot_embedder_search_seconds"),
                        quantile(0.95, "earshot_embedder_search_seconds"),
                        quantile(0.99, "earshot_embedder_search_seconds"),
                    ],
                ),
                Panel(
                    "Hits",
                    "Passages that one search found.",
                    "short",
                    [quantile(0.5, "earshot_embedder_hits_count", "mode")],
                ),
                Panel(
                    "Vectors of queries",
                    "How often a query's vector was kept from before, or had to be made.",
                    "ops",
                    [per_second("earshot_embedder_query_vectors_total", "source")],
                ),
                Panel(
                    "Reranker",
                    "95th percentile of the time that the reranker took; nothing where none is configured.",
                    "s",
                    [quantile(0.95, "earshot_embedder_rerank_seconds", "outcome")],
                    still=True,
                ),
                Panel(
                    "Vectors",
                    "Vectors of the models in each state, as the database estimates.",
                    "short",
                    [Query("max by (state) (earshot_embedder_vectors)", "{{state}}")],
                    still=True,
                ),
            ],
        ),
        Row(
            "Answers",
            [
                Panel(
                    "Answers by outcome",
                    "Answers a second by what became of them.",
                    "ops",
                    [per_second("earshot_chat_answers_total", "outcome")],
                ),
                Panel(
                    "Time to the first text",
                    "From the question to the first text of its answer, by provider.",
                    "s",
                    [
                        quantile(0.5, "earshot_chat_first_text_seconds", "provider"),
                        quantile(0.9, "earshot_chat_first_text_seconds", "provider"),
                    ],
                ),
                Panel(
                    "Where the time goes",
                    "95th percentile of finding passages and of comparing lines.",
                    "s",
                    [
                        Query(
                            f"histogram_quantile(0.95, sum by (le) (rate(earshot_chat_retrieval_seconds_bucket{_OVER})))",
                            "finding",
                        ),
                        Query(
                            f"histogram_quantile(0.95, sum by (le) (rate(earshot_chat_comparison_seconds_bucket{_OVER})))",
                            "comparing",
                        ),
                    ],
                ),
                Panel(
                    "Citations",
                    "Citations a second: kept, unknown (no such passage) or unsupported by it. The last two are never shown; many of them speak against the model.",
                    "ops",
                    [per_second("earshot_chat_citations_total", "fate")],
                ),
                Panel(
                    "Answer cache",
                    "Answers a second that were given again (`hit`), followed while they were written (`shared`), written (`miss`), or written anew on request (`bypass`).",
                    "ops",
                    [per_second("earshot_chat_cache_lookups_total", "outcome")],
                ),
                Panel(
                    "Cost",
                    "Dollars an hour for tokens, by the prices in the catalogue of models; nothing where it has none.",
                    "currencyUSD",
                    [
                        Query(
                            f"3600 * sum by (provider, model) (rate(earshot_chat_model_cost_dollars_total{_OVER}))",
                            "{{provider}} {{model}}",
                        )
                    ],
                    still=True,
                ),
                Panel(
                    "Tokens",
                    "Tokens a second that providers counted; nothing with the extractive one.",
                    "ops",
                    [
                        Query(
                            f"sum by (provider, direction) (rate(earshot_chat_model_tokens_total{_OVER}))",
                            "{{provider}} {{direction}}",
                        )
                    ],
                    still=True,
                ),
                Panel(
                    "Being written",
                    "Answers that are being written now.",
                    "short",
                    [Query("sum (earshot_chat_running_answers)", "answers")],
                    still=True,
                ),
            ],
        ),
    ],
)

MESSAGING = Dashboard(
    "earshot-messaging",
    "Earshot: messaging",
    "Facts between the services: nothing waits, nothing is lost.",
    "operations.md#when-the-database-or-the-broker-is-away",
    [
        Row(
            "Flow",
            [
                Panel(
                    "Published",
                    "Messages a second that the broker confirmed.",
                    "ops",
                    [per_second("earshot_messages_published_total", "service", '{service=~"$service"}')],
                ),
                Panel(
                    "Handled",
                    "Deliveries a second by outcome. `duplicate` and `stale` are harmless; `bug` and `parked` are not.",
                    "ops",
                    [per_second("earshot_messages_handled_total", "outcome", '{service=~"$service"}')],
                ),
                Panel(
                    "Time of handling",
                    "95th percentile from delivery to acknowledgement.",
                    "s",
                    [quantile(0.95, "earshot_message_handling_seconds", "type", '{service=~"$service"}')],
                ),
                Panel(
                    "Age when handled",
                    "95th percentile of the time from saying a message to its first handling: in the outbox and in the queue.",
                    "s",
                    [quantile(0.95, "earshot_message_waited_seconds", "service", '{service=~"$service"}')],
                ),
                Panel(
                    "Outbox",
                    "Messages not yet published.",
                    "short",
                    [gauge('earshot_outbox_rows{service=~"$service"}', "service")],
                    still=True,
                ),
                Panel(
                    "Outbox lag",
                    "Age of the oldest message not yet published. It rises while the broker is away.",
                    "s",
                    [gauge('earshot_outbox_lag_seconds{service=~"$service"}', "service")],
                    still=True,
                ),
            ],
        ),
        Row(
            "Trouble",
            [
                Panel(
                    "Parked",
                    "Messages set aside for people in the last hour: `earshot parked list`.",
                    "short",
                    [
                        Query(
                            'sum by (service) (increase(earshot_messages_parked_total{service=~"$service"}[1h]))',
                            "{{service}}",
                        )
                    ],
                ),
                Panel(
                    "Handled again",
                    "Deliveries a second that were repeated or retried.",
                    "ops",
                    [
                        per_second(
                            "earshot_messages_handled_total",
                            "outcome",
                            '{service=~"$service", outcome=~"duplicate|stale|try_again|bug|database_away"}',
                        )
                    ],
                    still=True,
                ),
                Panel(
                    "Returned",
                    "Messages in the last hour for which the broker had no queue.",
                    "short",
                    [
                        Query(
                            'sum by (service) (increase(earshot_messages_returned_total{service=~"$service"}[1h]))',
                            "{{service}}",
                        )
                    ],
                    still=True,
                ),
                Panel(
                    "Connections to the broker",
                    "1 while a connection answers.",
                    "short",
                    [
                        Query(
                            'min by (service, connection) (earshot_broker_connected{service=~"$service"})',
                            "{{service}} {{connection}}",
                        )
                    ],
                    still=True,
                    most=1,
                ),
                Panel(
                    "Blocked",
                    "1 while the broker takes no messages: it is low on disk or memory.",
                    "short",
                    [gauge('earshot_broker_blocked{service=~"$service"}', "service")],
                    still=True,
                    most=1,
                ),
                Panel(
                    "Queues unheard",
                    "Queues that a service should hear and does not.",
                    "short",
                    [gauge('earshot_consumers_missing{service=~"$service"}', "service")],
                    still=True,
                ),
            ],
        ),
        Row(
            "Broker",
            [
                Panel(
                    "Ready",
                    "Messages that no consumer has yet, by queue.",
                    "short",
                    [Query("sum by (queue) (rabbitmq_detailed_queue_messages_ready)", "{{queue}}")],
                ),
                Panel(
                    "Unacknowledged",
                    "Messages that a consumer has in hand, by queue.",
                    "short",
                    [Query("sum by (queue) (rabbitmq_detailed_queue_messages_unacked)", "{{queue}}")],
                ),
                Panel(
                    "Memory and disk",
                    "Memory of the broker's process, and the room on its disk.",
                    "bytes",
                    [
                        Query("max (rabbitmq_process_resident_memory_bytes)", "memory"),
                        Query("min (rabbitmq_disk_space_available_bytes)", "room on disk"),
                    ],
                ),
            ],
        ),
    ],
    [Variable("service", "Service", "label_values(earshot_outbox_rows, service)")],
)

SERVICE = Dashboard(
    "earshot-service",
    "Earshot: services",
    "The four golden signals of each service: latency, traffic, errors, saturation.",
    "operations.md#when-something-is-wrong",
    [
        Row(
            "Requests",
            [
                Panel(
                    "Traffic",
                    "Requests a second.",
                    "reqps",
                    [
                        Query(
                            f'sum by (service) (rate(earshot_http_request_seconds_count{{service=~"$service"}}{_OVER}))',
                            "{{service}}",
                        )
                    ],
                ),
                Panel(
                    "Latency",
                    "95th percentile; streams count until they end.",
                    "s",
                    [quantile(0.95, "earshot_http_request_seconds", "service", '{service=~"$service"}')],
                ),
                Panel(
                    "Errors",
                    "Share of requests that were answered 5xx.",
                    "percentunit",
                    [
                        Query(
                            f'(sum by (service) (rate(earshot_http_request_seconds_count{{service=~"$service", status="5xx"}}{_OVER})) or 0 * sum by (service) (rate(earshot_http_request_seconds_count{{service=~"$service"}}{_OVER}))) / sum by (service) (rate(earshot_http_request_seconds_count{{service=~"$service"}}{_OVER}))',
                            "{{service}}",
                        )
                    ],
                    still=True,
                    most=1,
                ),
                Panel(
                    "By answer",
                    "Requests a second by the kind of answer.",
                    "reqps",
                    [
                        Query(
                            f'sum by (status) (rate(earshot_http_request_seconds_count{{service=~"$service"}}{_OVER}))',
                            "{{status}}",
                        )
                    ],
                ),
                Panel(
                    "Slowest routes",
                    "The five routes with the highest 95th percentile.",
                    "s",
                    [
                        Query(
                            f'topk(5, histogram_quantile(0.95, sum by (le, service, route) (rate(earshot_http_request_seconds_bucket{{service=~"$service"}}{_OVER}))))',
                            "{{service}} {{route}}",
                        )
                    ],
                ),
                Panel(
                    "Turned away",
                    "Requests a second that the gateway refused at the door, by reason.",
                    "reqps",
                    [per_second("earshot_gateway_refused_requests_total", "reason")],
                    still=True,
                ),
            ],
        ),
        Row(
            "Saturation",
            [
                Panel(
                    "Processor",
                    "Processors in use by each process.",
                    "short",
                    [Query(f'rate(process_cpu_seconds_total{{job=~".*earshot.*"}}{_OVER})', "{{instance}}")],
                ),
                Panel(
                    "Memory",
                    "Resident memory of each process.",
                    "bytes",
                    [Query('process_resident_memory_bytes{job=~".*earshot.*"}', "{{instance}}")],
                ),
                Panel(
                    "Open files",
                    "Share of the files that a process may open.",
                    "percentunit",
                    [
                        Query(
                            'process_open_fds{job=~".*earshot.*"} / process_max_fds{job=~".*earshot.*"}', "{{instance}}"
                        )
                    ],
                ),
                Panel(
                    "Forwarded",
                    "Requests a second that the gateway forwarded, by service.",
                    "reqps",
                    [per_second("earshot_gateway_forwarded_requests_total", "upstream")],
                ),
                Panel(
                    "Up",
                    "1 for each process that answers Prometheus.",
                    "short",
                    [Query('up{job=~".*earshot.*"}', "{{instance}}")],
                    still=True,
                    most=1,
                ),
                Panel(
                    "WebSockets",
                    "Open WebSockets.",
                    "short",
                    [Query("sum (earshot_gateway_websockets)", "sockets")],
                    still=True,
                ),
            ],
        ),
    ],
    [Variable("service", "Service", "label_values(earshot_http_request_seconds_count, service)")],
)

DASHBOARDS = (PIPELINE, ANSWERS, MESSAGING, SERVICE)
