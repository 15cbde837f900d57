"""The settings: typed, all problems at once, nothing that a typo could loosen."""

from __future__ import annotations

from datetime import timedelta
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from shared.errors import SettingsError
from shared.model import Endpoint, Exemption, PasswordSource, Reason, ResetRequest, RotationTarget, UserName, UserRef
from shared.settings import (
    MOST_LOOKUPS,
    Onboard,
    RequireReset,
    ScanSettings,
    ScheduleSettings,
    Settings,
    StatusSettings,
    Synchronized,
)
from shared.variables import CLOUDSSO_REGIONS, NEAR, _may_be_near
from tests.fakes import NOON, user

LEAST = {"CLOUDSSO_DIRECTORY_ID": "d-00fc2p61loop", "CLOUDSSO_REGION": "cn-shanghai"}


def load(**changes: str) -> Settings:
    return Settings.load({**LEAST, **changes}, "cn-hangzhou")


def refusal(**changes: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(**changes)
    return str(raised.value)


def load_scan(**changes: str) -> ScanSettings:
    return ScanSettings.load({**LEAST, "ROTATION_FUNCTION": "rotate", **changes}, "cn-hangzhou")


def scan_refusal(**changes: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load_scan(**changes)
    return str(raised.value)


def test_two_settings_are_enough_and_the_rest_have_defaults() -> None:
    settings = load()
    assert settings.kms_region == "cn-hangzhou"
    assert settings.cloudsso_endpoint == settings.kms_endpoint == Endpoint(None, "HTTPS")
    assert settings.password_source is PasswordSource.CLOUDSSO
    assert settings.require_reset is RequireReset.NEVER
    assert settings.synchronized_users is Synchronized.SKIP
    assert settings.max_parallel == 8
    assert settings.secret_name(user("alice")) == "cloudsso/d-fake/alice"


def test_all_problems_are_reported_at_once_with_name_and_cure() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.load({"PASSWORD_SOURCE": "mine", "MAX_PARALLEL": "0", "KMS_ENDPOINT": "http://kms.example"}, None)
    message = str(raised.value)
    for name in ("CLOUDSSO_DIRECTORY_ID", "CLOUDSSO_REGION", "KMS_REGION", "PASSWORD_SOURCE", "MAX_PARALLEL"):
        assert name in message
    assert "KMS_ENDPOINT" in message
    assert "s.yaml" in message


@pytest.mark.parametrize("region", CLOUDSSO_REGIONS)
def test_every_documented_cloudsso_region_is_accepted(region: str) -> None:
    assert load(CLOUDSSO_REGION=region).cloudsso_region == region


def test_a_region_without_cloudsso_is_refused_before_it_fails_as_a_host_name() -> None:
    assert "cn-shanghai" in refusal(CLOUDSSO_REGION="cn-hangzhou")


def test_any_region_is_accepted_with_an_explicit_endpoint() -> None:
    settings = load(CLOUDSSO_REGION="cn-hangzhou", CLOUDSSO_ENDPOINT="cloudsso.example.com")
    assert settings.cloudsso_endpoint == Endpoint("cloudsso.example.com", "HTTPS")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("kms-vpc.cn-shanghai.aliyuncs.com", Endpoint("kms-vpc.cn-shanghai.aliyuncs.com")),
        ("https://kms.example:8443/", Endpoint("kms.example:8443")),
        ("http://127.0.0.1:8080", Endpoint("127.0.0.1:8080", "HTTP")),
        ("http://localhost:8080", Endpoint("localhost:8080", "HTTP")),
        ("http://[::1]:8080", Endpoint("[::1]:8080", "HTTP")),
    ],
)
def test_an_endpoint_is_a_host_with_a_protocol(text: str, endpoint: Endpoint) -> None:
    assert load(KMS_ENDPOINT=text).kms_endpoint == endpoint


@pytest.mark.parametrize(
    "text",
    ["http://kms.example", "http://127.0.0.1.example", "ftp://x", "https://", "https://u@x", "https://x/path", "//"],
)
def test_an_endpoint_that_would_send_passwords_astray_is_refused(text: str) -> None:
    assert "KMS_ENDPOINT" in refusal(KMS_ENDPOINT=text)


@pytest.mark.parametrize(
    "text",
    [
        "{user_name",
        "fixed",
        "{user_name!r:>99}",
        "{nope}",
        "acs/{user_name}",
        "{0}",
        "a b/{user_id}",
        "{user_name.x}",
        "x" * 150 + "{user_id}",
        "{}",
    ],
)
def test_a_secret_name_template_that_kms_or_two_users_could_not_share_is_refused(text: str) -> None:
    assert "SECRET_NAME_TEMPLATE" in refusal(SECRET_NAME_TEMPLATE=text)


def test_a_secret_name_template_may_use_the_user_id() -> None:
    assert load(SECRET_NAME_TEMPLATE="sso-{user_id}").secret_name(user("alice")) == "sso-u-alice"


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("cloudsso/{directory_id}/{user_name}", "cloudsso/d-00fc2p61loop/"),
        ("sso-{user_id}", "sso-"),
        ("{user_name}", ""),
        ("{directory_id}{user_name}", "d-00fc2p61loop"),
    ],
)
def test_all_names_of_secrets_begin_with_what_comes_before_the_user(text: str, prefix: str) -> None:
    settings = load(SECRET_NAME_TEMPLATE=text)
    assert settings.secret_name_prefix == prefix
    one = replace(user("alice"), directory_id=settings.directory_id)
    assert settings.secret_name(one).startswith(prefix)


@pytest.mark.parametrize("name", ["root-admin", "ROOT-Admin", "break.glass.1"])
def test_protection_is_by_glob_and_does_not_depend_on_case(name: str) -> None:
    settings = load(PROTECTED_USERS="Root-*, break.glass.?")
    assert settings.exemption(user(name)) is Exemption.PROTECTED


def test_a_user_that_no_glob_names_is_not_protected() -> None:
    assert load(PROTECTED_USERS="root-*").exemption(user("groot")) is None


@pytest.mark.parametrize("globs", ["root,,admin", "root,", "ro ot", "ro[ot", "root;admin", "røøt"])
def test_a_protection_list_that_cannot_be_parsed_stops_everything(globs: str) -> None:
    assert "PROTECTED_USERS" in refusal(PROTECTED_USERS=globs)


def test_disabled_and_synchronized_users_are_exempt() -> None:
    settings = load()
    assert settings.exemption(user("a", enabled=False)) is Exemption.DISABLED
    assert settings.exemption(user("a", synchronized=True)) is Exemption.SYNCHRONIZED
    assert load(SYNCHRONIZED_USERS="rotate").exemption(user("a", synchronized=True)) is None


@pytest.mark.parametrize(
    ("setting", "reason", "asked", "must_change"),
    [
        ("never", Reason.ALERT, None, False),
        ("alerts", Reason.ALERT, None, True),
        ("alerts", Reason.EXPIRING, None, False),
        ("always", Reason.EXPIRING, None, True),
        ("always", Reason.ALERT, False, False),
        ("never", Reason.MANUAL, True, True),
    ],
)
def test_a_forced_change_follows_the_setting_unless_the_request_says(
    *, setting: str, reason: Reason, asked: bool | None, must_change: bool
) -> None:
    request = ResetRequest(UserRef(name=UserName("a")), NOON, reason, must_change=asked)
    assert load(REQUIRE_PASSWORD_RESET=setting).must_change(request) is must_change


def test_a_request_may_choose_the_password_source() -> None:
    request = ResetRequest(UserRef(name=UserName("a")), NOON, Reason.MANUAL)
    staged = load(PASSWORD_SOURCE="staged")
    assert staged.source(request) is PasswordSource.STAGED
    assert staged.source(replace(request, source=PasswordSource.CLOUDSSO)) is PasswordSource.CLOUDSSO


# --------------------------------------------------------------------------------------------------------- the scan's


def test_a_scan_must_be_told_which_function_rotates_and_the_rest_has_defaults() -> None:
    assert "ROTATION_FUNCTION is not set" in scan_refusal(ROTATION_FUNCTION="")
    settings = load_scan()
    assert settings.rotation_function == RotationTarget("rotate")
    assert settings.rotation_endpoint == Endpoint(None)
    assert (settings.rotate_before_expiry, settings.spread) == (timedelta(days=14), timedelta(days=3))
    assert (settings.scan_limit, settings.onboard, settings.max_parallel) == (100, Onboard.NONE, 8)


def test_both_functions_read_alike_what_both_of_them_read() -> None:
    both = {"PROTECTED_USERS": "root-*", "SYNCHRONIZED_USERS": "rotate", "SECRET_NAME_TEMPLATE": "x/{user_id}"}
    rotating, scanning = load(**both), load_scan(**both)
    assert asdict(rotating).items() & asdict(scanning).items() >= {
        ("protected_users", ("root-*",)),
        ("synchronized_users", Synchronized.ROTATE),
        ("secret_name_template", "x/{user_id}"),
    }


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("rotate", RotationTarget("rotate")),
        ("rotate.LATEST", RotationTarget("rotate", "LATEST")),
        ("_rotate-2.3", RotationTarget("_rotate-2", "3")),
        ("team/rotate", RotationTarget("rotate", service="team")),
        ("team.prod/rotate", RotationTarget("rotate", "prod", "team")),
    ],
)
def test_a_rotation_function_is_of_fc_3_or_within_a_service_of_fc_2(text: str, target: RotationTarget) -> None:
    assert load_scan(ROTATION_FUNCTION=text).rotation_function == target
    assert str(target) == text


@pytest.mark.parametrize(
    "text", ["1st", "a/b/c", "/b", "a/", "a.", "a.b.c", "a/b.c", "a b", "acs:fc:x", "ä", "x" * 129]
)
def test_a_rotation_function_of_no_known_form_is_refused(text: str) -> None:
    assert "service[.qualifier]/function" in scan_refusal(ROTATION_FUNCTION=text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ROTATE_BEFORE_EXPIRY_DAYS", "0"),
        ("ROTATE_BEFORE_EXPIRY_DAYS", "120"),
        ("ROTATE_BEFORE_EXPIRY_DAYS", "1.5"),
        ("SPREAD_DAYS", "-1"),
        ("SPREAD_DAYS", "61"),
        ("SCAN_LIMIT", "0"),
        ("SCAN_LIMIT", "10001"),
        ("SCAN_LIMIT", "1e3"),
        ("ONBOARD", "everybody"),
        ("ROTATION_ENDPOINT", "http://fc.example"),
    ],
)
def test_a_setting_of_the_scan_that_makes_no_sense_is_refused_by_name(name: str, text: str) -> None:
    assert name in scan_refusal(**{name: text})


def test_users_are_onboarded_as_the_setting_says() -> None:
    plain, tagged = user("alice"), replace(user("bob"), opted_in=True)
    chosen = {each: [u.name for u in (plain, tagged) if each.selects(u)] for each in Onboard}
    assert chosen == {Onboard.NONE: [], Onboard.TAGGED: ["bob"], Onboard.ALL: ["alice", "bob"]}


# ------------------------------------------------------------------------------------------- the state's, and both's


def load_status(**changes: str) -> StatusSettings:
    return StatusSettings.load({**LEAST, **changes}, "cn-hangzhou")


def test_the_function_that_shows_the_state_needs_no_more_than_the_one_that_rotates() -> None:
    settings = load_status()
    assert (settings.rotate_before_expiry, settings.spread) == (timedelta(days=14), timedelta(days=3))
    assert (settings.lookups, settings.onboard, settings.max_parallel) == (200, Onboard.NONE, 8)
    assert not hasattr(settings, "scan_limit")


def test_what_is_due_and_who_is_onboarded_is_read_alike_by_the_scan_and_by_the_state() -> None:
    both = {"ROTATE_BEFORE_EXPIRY_DAYS": "30", "SPREAD_DAYS": "0", "ONBOARD": "tagged", "PROTECTED_USERS": "root-*"}
    scanning, showing = load_scan(**both), load_status(**both)
    assert (showing.rotate_before_expiry, showing.spread, showing.onboard) == (
        timedelta(days=30),
        timedelta(0),
        Onboard.TAGGED,
    )
    assert isinstance(scanning, ScheduleSettings)
    fields = ScheduleSettings.__struct_fields__
    assert {*fields} > {"rotate_before_expiry", "spread", "onboard", "protected_users"}
    assert {name: getattr(showing, name) for name in fields} == {name: getattr(scanning, name) for name in fields}


@pytest.mark.parametrize(("text", "lookups"), [("0", 0), ("1", 1), (" 7 ", 7), (str(MOST_LOOKUPS), MOST_LOOKUPS)])
def test_how_many_secrets_are_looked_at_may_be_none_and_has_an_end(text: str, lookups: int) -> None:
    assert load_status(STATUS_LOOKUPS=text).lookups == lookups == int(text)


@pytest.mark.parametrize("text", ["-1", str(MOST_LOOKUPS + 1), "1000000", "all", "1e3", "1.0", "٣"])
def test_a_number_of_lookups_that_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match=f"must be a whole number from 0 to {MOST_LOOKUPS}") as raised:
        load_status(STATUS_LOOKUPS=text)
    assert "STATUS_LOOKUPS" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ROTATE_BEFORE_EXPIRY_DAYS", "0"),
        ("ROTATE_BEFORE_EXPIRY_DAYS", "120"),
        ("SPREAD_DAYS", "61"),
        ("ONBOARD", "everybody"),
        ("KMS_ENDPOINT", "http://kms.example"),
    ],
)
def test_what_a_scan_would_refuse_the_state_refuses_too(name: str, text: str) -> None:
    for load_one in (load_scan, load_status):
        with pytest.raises(SettingsError, match=name):
            load_one(**{name: text})


def test_a_misspelt_setting_of_the_state_is_found() -> None:
    with pytest.raises(SettingsError, match="did you mean STATUS_LOOKUPS"):
        load_status(STATUS_LOOKUP="7")


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *LEAST,
                "KMS_ENDPOINT",
                "SECRET_NAME_TEMPLATE",
                "PROTECTED_USERS",
                "MAX_PARALLEL",
                "LOG_LEVEL",
                "CLOUDSSO_ENDPOINT",
            ]
        ),
        st.text(),
    )
)
def test_no_environment_gives_anything_but_settings_or_a_settings_error(environ: dict[str, str]) -> None:
    try:
        Settings.load({**LEAST, **environ}, "cn-hangzhou")
    except SettingsError as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right


NAMES = st.text("ABCDEF_", min_size=1, max_size=24)


@given(NAMES, NAMES, st.integers(0, 24), NAMES)
def test_no_name_that_difflib_finds_near_is_passed_over(one: str, other: str, at: int, insertion: str) -> None:
    for near in (other, one[:at] + insertion[:2] + one[at:], one[:at] + one[at + 1 :]):
        if near and SequenceMatcher(None, near, one).ratio() >= NEAR:
            assert _may_be_near(one, near)
