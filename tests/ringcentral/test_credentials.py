import base64
from dataclasses import replace

import pytest
from cryptography.fernet import InvalidToken

from voxlake.ringcentral.credentials import Credentials

GOOD = Credentials("https://platform.ringcentral.com", "id", "s3cret", "eyJ.jwt.sig")


def test_repr_and_derived_names_hide_the_secrets() -> None:
    text = f"{GOOD!r} {GOOD} {GOOD.token_name} {GOOD.quota_name}"

    assert "s3cret" not in text
    assert "eyJ.jwt.sig" not in text
    assert "client_id='id'" in text


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("client_id", "", "lacks client_id: put it into the field login"),
        ("client_secret", "", "lacks client_secret: put it into the field password"),
        ("jwt", "", "lacks jwt: put it into the field extra"),
        ("jwt", "geheim\n", "jwt of the RingCentral connection .* white space"),
        ("client_secret", "geheim geheim", "client_secret .* white space"),
        ("server_url", "", "host .* does not start with https://"),
        ("server_url", "platform.ringcentral.com", "host .* does not start with https://"),
        ("server_url", "http://platform.ringcentral.com", "over http the access token could be read"),
        ("server_url", "https://platform.ringcentral.com/restapi", "host .* path or parameters"),
        ("server_url", "https://user:geheim@platform.ringcentral.com", "user name before the host"),
        ("media_url", "http://media.ringcentral.com", "media_host .* over http"),
        ("media_url", "https://media.ringcentral.com?access_token=geheim", "media_host .* path or parameters"),
    ],
)
def test_a_bad_field_is_named_and_no_secret_shown(field: str, value: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as raised:
        replace(GOOD, **{field: value})

    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:80", "https://h.example:443/"]
)
def test_https_anywhere_and_http_on_this_machine_are_accepted(url: str) -> None:
    assert replace(GOOD, server_url=url).server_url == url


@pytest.mark.parametrize(
    ("field", "value"),
    [("server_url", "https://other.example"), ("client_id", "id2"), ("client_secret", "x"), ("jwt", "x")],
)
def test_other_credentials_have_another_token_file_and_another_key(field: str, value: str) -> None:
    other = replace(GOOD, **{field: value})

    assert other.token_name != GOOD.token_name
    with pytest.raises(InvalidToken):
        other.token_cipher().decrypt(GOOD.token_cipher().encrypt(b"token"))


def test_a_corrected_secret_keeps_the_count_of_requests() -> None:
    assert replace(GOOD, client_secret="corrected").quota_name == GOOD.quota_name
    assert replace(GOOD, client_id="another-app").quota_name != GOOD.quota_name


def test_what_a_login_sends_counts_as_secret_in_the_form_it_is_sent_in() -> None:
    sent = base64.b64encode(f"{GOOD.client_id}:{GOOD.client_secret}".encode()).decode()
    assert {sent, GOOD.client_secret, GOOD.jwt} <= set(GOOD.secrets)
