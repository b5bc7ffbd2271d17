"""Addresses that clients name: private networks are out of reach, by whatever name they go."""

import pytest

from lanterne.service.outside import OutsideError, place
from lanterne.service.settings import Settings


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://localhost/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/",
        "https://169.254.169.254/", "https://100.64.0.1/", "https://[fd00::1]/", "https://[fe80::1]/", "https://0.0.0.0/",
        "https://224.0.0.1/", "http://93.184.215.14/", "ftp://93.184.215.14/", "file:///etc/passwd", "https://user@93.184.215.14/",
        "https:///path", "https://host:99999/", "https://[", "nonsense", "https://93.184.215.14/a b", "https://93.184.215.14/a\r\nhost: x",
    ],
)
def test_these_are_not_asked(url):
    with pytest.raises(OutsideError):
        place(url, Settings())


def test_a_public_address_is_where_the_connection_goes():
    where = place("https://93.184.215.14:8443/a/b?c=d", Settings())
    assert (where.addresses, where.port, where.target, where.scheme) == (("93.184.215.14",), 8443, "/a/b?c=d", "https")


def test_the_remedy_is_named():
    with pytest.raises(OutsideError, match="webhooks_to_private"):
        place("https://127.0.0.1/", Settings())


def test_a_setting_lets_private_addresses_in():
    assert place("http://127.0.0.1:9/x", Settings(webhooks_to_private=True)).addresses == ("127.0.0.1",)
