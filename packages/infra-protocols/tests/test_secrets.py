"""Which names say that a value is secret, and which do not."""

import time

import pytest

from infra_protocols._secrets import is_secret, without_secrets

SECRET_NAMES = """
    token tokens access_token accessToken refreshToken id_token idToken X-CSRF-Token authtoken tOKEN token1
    password Password PASSWORD passwd user_password userPassword dbpassword db.password password_hash new_password_2
    pwd userPwd pass db_pass passphrase passcode secret secrets clientSecret client-secret SECRETS secret_value
    jwt JWT jwtHeader bearer authorization Authorization Proxy-Authorization auth basic_auth
    api_key apiKey APIKey APIKEY X-Api-Key apiKeys api_key_value private_key privateKey privatekey signing_key
    encryption_key secretAccessKey master_key session_key shared_access_key AccountKey key_material keyMaterial
    rsa_key aes_keys ssh_private_key credential credentials aws_credentials cookie Cookie Set-Cookie setcookie cookies
    otp totp pin user_pin pem jwk jwks salt signature hmac
"""

INNOCENT_NAMES = """
    key keys cache_key cacheKey sort_key primary_key partition_key idempotency_key routing_key monkey hotkey keyspace
    public_key publicKey ssh_public_key signing_key_id kid key_id key_count row_key
    token_count tokenCount token_type max_tokens total_tokens tokens_left token_ttl token_expiry token_endpoint
    password_length password_min_length passwordPolicy password_changed_at passwordless secret_name cookie_name
    tokenizer tokenization secretary compass bypass passenger passed author authority authentic auth_method
    user name id field kind min max pattern ttl tag tags operation url path row size pinned spin opinion session signal
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_says_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", [*INNOCENT_NAMES.split(), "", "_", "名前", "\ud800"])
def test_says_nothing(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://ada:hunter2@db:5432/app", "postgres://ada:[redacted]@db:5432/app"),
        ("redis://:hunter2@cache/0", "redis://:[redacted]@cache/0"),
        ("amqp://ada:hun/ter@2@mq", "amqp://ada:[redacted]@mq"),
        ("a://u:p@h1,b://u:q@h2", "a://u:[redacted]@h1,b://u:[redacted]@h2"),
        ("see redis://:one@a and redis://:two@b", "see redis://:[redacted]@a and redis://:[redacted]@b"),
        ("host=db password=hunter2 user=ada", "host=db password=[redacted] user=ada"),
        ("host=db password = 'hun ter2' user=ada", "host=db password = [redacted] user=ada"),
        ("Endpoint=sb://x;SharedAccessKey=abc;Entity=q", "Endpoint=sb://x;SharedAccessKey=[redacted];Entity=q"),
        ("https://api/x?page=2&access_token=abc#top", "https://api/x?page=2&access_token=[redacted]"),
        ('Client(api_key="abc", retries=3)', "Client(api_key=[redacted], retries=3)"),
    ],
)
def test_hides_in_a_text(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "http://host:8080/path?to=ada@example.org",
        "http://host:8080",
        "http://[::1]:8080/ada@example.org",
        "https://ada@example.org/",
        "mailto:ada@example.org",
        "Invalid token: it has expired",
        "page=2&sort_key=name",
        "a == b != c",
        "://",
        "=",
    ],
)
def test_leaves_other_texts_alone(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("text", ["a" * 200_000, "://" * 70_000, "://a:" * 40_000, "a=" * 100_000, "a.-" * 70_000])
def test_takes_time_in_proportion(text: str) -> None:
    started = time.process_time()
    without_secrets(text)
    assert time.process_time() - started < 2
