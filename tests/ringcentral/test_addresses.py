import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from voxlake.ringcentral.addresses import Origin, allowed_url, shown_url
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import ForeignHostError, RingCentralError

PLATFORM = Origin("https", "platform.ringcentral.com", 443)
MEDIA = Origin("https", "media.ringcentral.com", 443)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("/restapi/v1.0/account/~/call-log", "https://platform.ringcentral.com/restapi/v1.0/account/~/call-log"),
        ("https://media.ringcentral.com:443/a/content", "https://media.ringcentral.com/a/content"),
        ("https://MEDIA.ringcentral.com/a?b=c", "https://media.ringcentral.com/a?b=c"),
        ("https://media.ringcentral.com/a#fragment", "https://media.ringcentral.com/a"),
        ("https://platform.ringcentral.com", "https://platform.ringcentral.com/"),
        ("HTTPS://Media.RingCentral.com/a", "https://media.ringcentral.com/a"),
        ("https://media.ringcentral.com/@evil.example/a", "https://media.ringcentral.com/@evil.example/a"),
        ("https://media.ringcentral.com?next=//evil.example", "https://media.ringcentral.com/?next=//evil.example"),
    ],
)
def test_addresses_on_the_two_hosts_are_sent_there(url: str, sent: str) -> None:
    assert allowed_url(url, (PLATFORM, MEDIA)) == sent


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/restapi",
        "//evil.example/restapi",
        "http://media.ringcentral.com/a",
        "https://media.ringcentral.com:8443/a",
        "https://media.ringcentral.com.evil.example/a",
        "https://media.ringcentral.com@evil.example/a",
        "https://evil.example\\@media.ringcentral.com/a",
        "https://user:password@media.ringcentral.com/a",
        "https://media.ringcentral.com\t.evil.example/a",
        "https:media.ringcentral.com/a",
        "https:///a",
        "file:///etc/passwd",
        "https://[::1/a",
        "https://media.ringcentral.com./a",
        "https://media.ringcentral.com%2eevil.example/a",
        "https://media.ringcentral.com%00.evil.example/a",
        "https://media.ringcentral.com,evil.example/a",
        "https://evil.example#@media.ringcentral.com/a",
        "https://evil.example?@media.ringcentral.com/a",
        "https://@evil.example/a",
        "https://media.ringcentral.com@/a",
        "https://media.ringcentral.com:443@evil.example/a",
        "https://media.ringcentral.com:0443443/a",
        "https://media\u3002ringcentral\u3002com/a",
        "https://\uff4dedia.ringcentral.com/a",
        "https://m\u0435dia.ringcentral.com/a",
        "https://xn--mdia-f6d.ringcentral.com/a",
        "https://media.ringcentral.com\u200b/a",
        "https://1.1.1.1 &@media.ringcentral.com/a",
        "javascript://media.ringcentral.com/%0aalert(1)",
        "HTTP://media.ringcentral.com/a",
        "restapi/v1.0",
        "",
    ],
)
def test_every_other_address_is_refused(url: str) -> None:
    with pytest.raises(ForeignHostError) as raised:
        allowed_url(url, (PLATFORM, MEDIA))

    assert "https://platform.ringcentral.com and https://media.ringcentral.com" in str(raised.value)
    assert "password" not in str(raised.value)


@given(
    st.text(alphabet="/\\@:.?#ae[]% \t", max_size=12),
    st.sampled_from(["https://", "http://", "//", "/", "https:", ""]),
    st.sampled_from(["media.ringcentral.com", "evil.example", ""]),
)
def test_what_is_let_through_is_sent_to_an_allowed_host_by_requests(middle: str, start: str, end: str) -> None:
    try:
        url = allowed_url(f"{start}{middle}{end}", (PLATFORM, MEDIA))
    except RingCentralError:
        return

    sent = requests.Request("GET", url).prepare().url

    assert sent is not None
    assert sent.startswith(("https://platform.ringcentral.com/", "https://media.ringcentral.com/"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://media.ringcentral.com/a/1/content?access_token=geheim", "/a/1/content?access_token=***"),
        ("/call-log?view=Detailed&page=2&phoneNumber=15551234567", "/call-log?view=Detailed&page=2&phoneNumber=***"),
        (
            "https://user:geheim@host/a?X-Amz-Signature=geheim&dateFrom=2026-11-21T00:00:00.000Z#geheim",
            "/a?X-Amz-Signature=***&dateFrom=2026-11-21T00:00:00.000Z",
        ),
        ("//user:geheim@host", "/"),
    ],
)
def test_errors_show_an_address_without_host_and_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "127.1", "2130706433", "0x7f000001", "localhost.", "localhost.evil.example", "127.0.0.1.evil.example"],  # noqa: S104
)
def test_hosts_that_only_look_like_loopback_need_https(host: str) -> None:
    with pytest.raises(ValueError, match="host of the RingCentral connection"):
        Credentials(f"http://{host}:8080", "id", "secret", "jwt")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_loopback_hosts_are_known(host: str) -> None:
    assert Origin.parse(f"http://{host}:8080").is_loopback
    assert not Origin.parse("http://10.0.0.1").is_loopback
