"""The `props` of a resource of component fc3, as far as this cloud carries them out.

Serverless Devs lets nearly anything pass: its schema allows any key, also a misspelt or misplaced one. Here
every key is known or refused. Sources: the component's documentation (docs/zh/yaml) and its schema for names and
ranges; the "Limits" page. Everything that the component knows and this cloud does not act on is refused, except
for what changes nothing in a function's own world: description, disk and CPU, metrics, network, tags.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")]
Text = Annotated[str, Meta(min_length=1)]

# Known to the component, and not carried out here: a function that relies on one would be tested without it.
NOT_CARRIED_OUT = frozenset(
    {
        "annotations",
        "customContainerConfig",
        "customDNS",
        "customRuntimeConfig",
        "enableLongLiving",
        "endpoint",
        "gpuConfig",
        "instanceIsolationMode",
        "layers",
        "nasConfig",
        "ossMountConfig",
        "provisionConfig",
        "scalingConfig",
        "sessionAffinity",
        "sessionAffinityConfig",
        "supplement",
        "tracingConfig",
    }
)


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """An object whose keys are all known."""


class Hook(Strict):
    """instanceLifecycleConfig.initializer; a command is for custom runtimes."""

    handler: Text
    timeout: Annotated[int, Meta(ge=1, le=300)] = 3


class Lifecycle(Strict):
    """instanceLifecycleConfig; preStop is not run here, and so is refused."""

    initializer: Hook | None = None


class Log(Strict):
    """logConfig."""

    project: Text
    logstore: Text
    enable_request_metrics: bool = False
    enable_instance_metrics: bool = False
    enable_llm_metrics: bool = False
    log_begin_rule: Literal["DefaultRegex", "None"] = "None"


class Destination(Strict):
    """One of destinationConfig's two."""

    destination: Text


class Destinations(Strict):
    """asyncInvokeConfig.destinationConfig."""

    on_success: Destination | None = None
    on_failure: Destination | None = None


class AsyncInvoke(Strict):
    """asyncInvokeConfig. The age is that of the SDK (604,800 s); the schema allows more, and the API does not."""

    max_async_retry_attempts: Annotated[int, Meta(ge=0, le=8)] = 3
    max_async_event_age_in_seconds: Annotated[int, Meta(ge=1, le=604_800)] = 86_400
    async_task: bool = False
    destination_config: Destinations = msgspec.field(default_factory=Destinations)
    qualifier: Literal["LATEST"] = "LATEST"


class Concurrency(Strict):
    """concurrencyConfig."""

    reserved_concurrency: Annotated[int, Meta(ge=0)]


class Vpc(Strict):
    """vpcConfig, written out."""

    vpc_id: Text
    v_switch_ids: list[Text] | Literal["auto"]
    security_group_id: Text


class VpcBinding(Strict):
    """vpcBinding."""

    vpc_ids: list[Text]


class Tag(Strict):
    """One of tags."""

    key: Text
    value: str


class Trigger(Strict):
    """One of triggers; what its config may hold depends on the type."""

    trigger_name: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")]
    trigger_type: Text
    trigger_config: dict[str, Any]
    description: str = ""
    qualifier: Literal["LATEST"] = "LATEST"
    source_arn: str | None = None
    invocation_role: str | None = None


class Props(Strict):
    """The props of one function."""

    region: Annotated[str, Meta(pattern=r"^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$")]
    function_name: Name
    runtime: Text
    code: Text | dict[str, Any]
    handler: Text
    description: str = ""
    cpu: Annotated[float, Meta(ge=0.05, le=16)] = 0.35
    memory_size: Annotated[int, Meta(ge=128, le=32_768, multiple_of=64)] = 512
    disk_size: Literal[512, 10_240] = 512
    timeout: Annotated[int, Meta(ge=1, le=86_400)] = 3
    instance_concurrency: Literal[1] = 1  # more is for custom runtimes
    environment_variables: dict[Text, str] = {}
    role: str | None = None
    log_config: Log | Literal["auto"] | None = None
    instance_lifecycle_config: Lifecycle = msgspec.field(default_factory=Lifecycle)
    async_invoke_config: AsyncInvoke | None = None
    concurrency_config: Concurrency | None = None
    vpc_config: Vpc | Literal["auto"] | None = None
    vpc_binding: VpcBinding | None = None
    internet_access: bool = True
    resource_group_id: str | None = None
    tags: list[Tag] = []
    triggers: list[Trigger] = []

    def __post_init__(self) -> None:
        """Hold what spans several keys."""
        if isinstance(self.code, dict):
            msg = "code: a package in OSS is not deployed here; name a folder"
            raise ValueError(msg)  # noqa: TRY004 - msgspec adds the place to a ValueError
        names = [trigger.trigger_name for trigger in self.triggers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"triggers: {', '.join(twice)} stands twice"
            raise ValueError(msg)
        if [trigger.trigger_type for trigger in self.triggers].count("http") > 1:  # "HTTP triggers overview" page
            msg = "triggers: a version of a function has at most one of type http"
            raise ValueError(msg)


class TimerConfig(Strict):
    """triggerConfig of a timer."""

    cron_expression: Text
    enable: bool
    payload: str = ""


class TopicConfig(Strict):
    """triggerConfig of an mns_topic."""

    notify_content_format: Literal["STREAM", "JSON"]
    notify_strategy: Literal["BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY"]
    filter_tag: Annotated[str, Meta(max_length=16)] = ""


class QueueSource(Strict, rename="pascal"):
    """eventSourceParameters.sourceMNSParameters; the component's documentation leaves RegionId out, the SDK has it."""

    queue_name: Text
    is_base64_decode: bool = msgspec.field(name="IsBase64Decode", default=True)
    region_id: str | None = None


class SourceParameters(Strict):
    """eventSourceConfig.eventSourceParameters; of the six kinds of queues, this cloud has one."""

    queue: QueueSource | None = msgspec.field(name="sourceMNSParameters", default=None)


class EventSource(Strict):
    """eventSourceConfig."""

    event_source_type: Literal["Default", "MNS"]
    event_source_parameters: SourceParameters


Mode = Literal["event-driven", "event-streaming"]


class Delivery(Strict):
    """eventSinkConfig.deliveryOption; its mode is outranked by the one of runOptions."""

    mode: Mode | None = None
    event_schema: Literal["CloudEvents", "RawData"] = "CloudEvents"
    concurrency: Annotated[int, Meta(ge=1)] = 1


class EventSink(Strict):
    """eventSinkConfig."""

    delivery_option: Delivery


class Retry(Strict, rename="pascal"):
    """runOptions.retryStrategy."""

    push_retry_strategy: Literal["BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY"]


class DeadLetterQueue(Strict, rename="pascal"):
    """runOptions.deadLetterQueue."""

    arn: Text


class BatchWindow(Strict, rename="pascal"):
    """runOptions.batchWindow: so many messages, or so many seconds, whichever comes first."""

    count_based_window: Annotated[int, Meta(ge=1, le=10_000)] = 1
    time_based_window: Annotated[int, Meta(ge=0, le=15)] = 0


class RunOptions(Strict):
    """runOptions; maximumTasks is for Kafka, and so is refused."""

    mode: Mode
    errors_tolerance: Literal["NONE", "ALL"] | None = None
    retry_strategy: Retry | None = None
    dead_letter_queue: DeadLetterQueue | None = None
    batch_window: BatchWindow | None = None

    def __post_init__(self) -> None:
        """Refuse a window where there are no batches (SDK: RunOptions.mode). The rest: switch run_options_of_rules."""
        if self.mode == "event-driven" and self.batch_window is not None:
            msg = "batchWindow: without effect unless mode is event-streaming"
            raise ValueError(msg)


class EventBridgeConfig(Strict):
    """triggerConfig of an eventbridge trigger; all six are required by the schema."""

    trigger_enable: bool
    async_invocation_type: bool
    event_rule_filter_pattern: Text
    event_source_config: EventSource
    event_sink_config: EventSink
    run_options: RunOptions

    def __post_init__(self) -> None:
        """Hold what spans several keys."""
        queue = self.event_source_config.event_source_parameters.queue
        kind = self.event_source_config.event_source_type
        problems = {
            "eventSourceConfig: MNS needs eventSourceParameters.sourceMNSParameters": kind == "MNS" and queue is None,
            "eventSourceConfig: sourceMNSParameters is for eventSourceType MNS": kind == "Default"
            and queue is not None,
            "runOptions: the event bus (Default) has event-driven only": (
                kind == "Default" and self.run_options.mode != "event-driven"
            ),
            "deliveryOption.mode says otherwise than runOptions.mode, which outranks it": (
                self.event_sink_config.delivery_option.mode not in (None, self.run_options.mode)
            ),
        }
        wrong = [problem for problem, holds in problems.items() if holds]
        if wrong:
            raise ValueError("; ".join(wrong))


Method = Literal["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]  # "HTTP triggers overview" page


class HttpConfig(Strict):
    """triggerConfig of an http trigger; of the ways to authenticate, the signature ("function") is carried out."""

    auth_type: Literal["anonymous", "function", "jwt"]
    methods: Annotated[list[Method], Meta(min_length=1)]
    disable_url_internet: bool = msgspec.field(name="disableURLInternet", default=False)
    auth_config: dict[str, Any] | str | None = None  # the schema has an object, the SDK a text

    def __post_init__(self) -> None:
        """Hold what spans several keys."""
        twice = sorted({method for method in self.methods if self.methods.count(method) > 1})
        if twice:
            msg = f"methods: {', '.join(twice)} stands twice"
            raise ValueError(msg)
        if self.auth_type == "function" and self.auth_config is not None:
            msg = "authConfig: is not for authType function"
            raise ValueError(msg)


CONFIGS: dict[str, type[TimerConfig | TopicConfig | EventBridgeConfig | HttpConfig]] = {
    "timer": TimerConfig,
    "mns_topic": TopicConfig,
    "eventbridge": EventBridgeConfig,
    "http": HttpConfig,
}
# Known to the component, and not here.
OTHER_TRIGGERS = frozenset({"cdn_events", "log", "oss", "tablestore"})
