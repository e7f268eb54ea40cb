"""Every setting, its default and its meaning, read from the environment in one place.

The same list, for a person to fill in, is `.env.example`; a test keeps the two together.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from orchestration.core.errors import SettingsError

PROJECT_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """The settings of one process. Make one with `Settings.from_env()`."""

    data_dir: Path
    landing_dir: Path
    fixed_as_of: datetime | None
    backlog: str
    quiet_hours: tuple[int, int] | None
    mailchimp_api_key: str | None
    mailchimp_list_id: str | None
    mailchimp_timeout: float
    sandbox_port: int
    sandbox_faults: float
    sandbox_faults_seed: int
    sandbox_recording: Path | None
    ui_port: int
    collector_host: str
    collector_port: int
    collector_url: str
    collector_key: str | None
    collector_origins: tuple[str, ...]
    collector_rate: int
    collector_largest_body: int
    collector_largest_batch: int
    woocommerce_webhook_secret: str | None
    mailchimp_webhook_secret: str | None
    mailchimp_webhook_key: str | None
    preferences_key: str | None
    shop_currency: str
    demo_port: int
    from_name: str
    reply_to: str
    shop_url: str
    woocommerce_url: str | None
    woocommerce_key: str
    woocommerce_secret: str
    wordpress_url: str | None
    wordpress_user: str | None
    wordpress_password: str | None
    wordpress_treatments: str
    alert_url: str | None
    smtp_url: str | None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment. Raises SettingsError that names the variable and what it should be."""
        env = os.environ if env is None else env
        data_dir = Path(env.get("DATA_DIR") or PROJECT_DIR / "data").resolve()
        collector_port = int(_number(env, "COLLECTOR_PORT", 8030))
        shop_url = (env.get("SHOP_URL") or "https://larkspur-skin.test").rstrip("/")
        return cls(
            data_dir=data_dir,
            landing_dir=Path(env.get("LANDING") or data_dir / "landing").resolve(),
            fixed_as_of=_instant(env, "AS_OF"),
            backlog=_one_of(env, "BACKLOG", ("record", "send")),
            quiet_hours=_hours(env, "QUIET_HOURS", "21-07"),
            mailchimp_api_key=env.get("MAILCHIMP_API_KEY") or None,
            mailchimp_list_id=env.get("MAILCHIMP_LIST_ID") or None,
            mailchimp_timeout=_number(env, "MAILCHIMP_TIMEOUT", 130),
            sandbox_port=int(_number(env, "SANDBOX_PORT", 8025)),
            sandbox_faults=_share(env, "SANDBOX_FAULTS"),
            sandbox_faults_seed=int(_number(env, "SANDBOX_FAULTS_SEED", 1)),
            sandbox_recording=_path(env, "SANDBOX_RECORDING"),
            ui_port=int(_number(env, "UI_PORT", 3000)),
            collector_host=env.get("COLLECTOR_HOST") or "127.0.0.1",
            collector_port=collector_port,
            collector_url=(env.get("COLLECTOR_URL") or f"http://127.0.0.1:{collector_port}").rstrip("/"),
            collector_key=env.get("COLLECTOR_KEY") or None,
            collector_origins=tuple((env.get("COLLECTOR_ORIGINS") or shop_url).split()),
            collector_rate=int(_number(env, "COLLECTOR_RATE", 120)),
            collector_largest_body=int(_number(env, "COLLECTOR_LARGEST_BODY", 1 << 20)),
            collector_largest_batch=int(_number(env, "COLLECTOR_LARGEST_BATCH", 500)),
            woocommerce_webhook_secret=env.get("WOOCOMMERCE_WEBHOOK_SECRET") or None,
            mailchimp_webhook_secret=env.get("MAILCHIMP_WEBHOOK_SECRET") or None,
            mailchimp_webhook_key=env.get("MAILCHIMP_WEBHOOK_KEY") or None,
            preferences_key=env.get("PREFERENCES_KEY") or None,
            shop_currency=env.get("SHOP_CURRENCY") or "GBP",
            demo_port=int(_number(env, "DEMO_PORT", 8040)),
            from_name=env.get("FROM_NAME") or "Larkspur Skin",
            reply_to=env.get("REPLY_TO") or "hello@larkspur-skin.test",
            shop_url=shop_url,
            woocommerce_url=_woocommerce_url(env),
            woocommerce_key=env.get("WOOCOMMERCE_KEY") or "",
            woocommerce_secret=env.get("WOOCOMMERCE_SECRET") or "",
            wordpress_url=_address(env, "WORDPRESS_URL", ("https", "http")),
            wordpress_user=env.get("WORDPRESS_USER") or None,
            wordpress_password=env.get("WORDPRESS_PASSWORD") or None,
            wordpress_treatments=env.get("WORDPRESS_TREATMENTS") or "post_tag",
            alert_url=_alert_url(env),
            smtp_url=_address(env, "SMTP_URL", ("smtp", "smtps")),
        )

    def now(self) -> datetime:
        """The business clock (DESIGN 9): AS_OF when it is set, else the machine's; always UTC."""
        return self.fixed_as_of or datetime.now(UTC)

    @property
    def catalog_path(self) -> Path:
        return self.data_dir / "catalog.sqlite"

    @property
    def lake_dir(self) -> Path:
        return self.data_dir / "lake"

    @property
    def archive_dir(self) -> Path:
        return self.data_dir / "archive"

    @property
    def ledger_path(self) -> Path:
        return self.data_dir / "ledger.sqlite"

    @property
    def lock_path(self) -> Path:
        return self.data_dir / "warehouse.lock"

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def coupons_dir(self) -> Path:
        return self.data_dir / "coupons"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"

    @property
    def sandbox_path(self) -> Path:
        return self.data_dir / "sandbox.sqlite"

    @property
    def uses_sandbox(self) -> bool:
        return self.mailchimp_api_key is None

    def campaign_url(self, campaign_id: str | None, web_id: int | None) -> str:
        """Where a person can look at a campaign: in Mailchimp, or in the sandbox's outbox."""
        if self.mailchimp_api_key is None:
            return f"http://127.0.0.1:{self.sandbox_port}/campaigns/{campaign_id}"
        data_centre = self.mailchimp_api_key.rpartition("-")[2]
        return f"https://{data_centre}.admin.mailchimp.com/campaigns/show?id={web_id}"

    @property
    def preference_page(self) -> str | None:
        """What a reader's token is put behind to make their own link, without a trailing slash.

        None where our emails link to Mailchimp's page: there is no key, or readers could not open COLLECTOR_URL. The sandbox's
        readers are on this machine, so loopback will do for them.
        """
        told = urlsplit(self.collector_url)
        is_public = told.scheme == "https" and told.hostname not in (None, "127.0.0.1", "localhost")
        return (
            f"{self.collector_url}/preferences" if self.preferences_key and (is_public or self.uses_sandbox) else None
        )

    @property
    def mailchimp_url(self) -> str:
        """Base address of the API, without a trailing slash: Mailchimp's own when there is a key, else the sandbox."""
        if self.mailchimp_api_key is None:
            return f"http://127.0.0.1:{self.sandbox_port}/3.0"
        _, dash, data_centre = self.mailchimp_api_key.rpartition("-")
        if not dash or not data_centre:
            raise SettingsError(
                "MAILCHIMP_API_KEY has no data centre: a key ends in a dash and a name such as us21. "
                "Copy the whole key from Mailchimp: Account > Extras > API keys."
            )
        return f"https://{data_centre}.api.mailchimp.com/3.0"


def _instant(env: Mapping[str, str], name: str) -> datetime | None:
    text = env.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SettingsError(f"{name}={text!r} is not a time with an offset, such as 2026-11-22T08:00:00Z.")
    return moment.astimezone(UTC)


def _one_of(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name) or allowed[0]
    if value not in allowed:
        raise SettingsError(f"{name}={value!r} is none of {', '.join(allowed)}.")
    return value


def _hours(env: Mapping[str, str], name: str, default: str) -> tuple[int, int] | None:
    text = env.get(name) or default
    if text == "off":
        return None
    try:
        start, end = (int(part) for part in text.split("-"))
    except ValueError:
        start = end = -1
    if not (0 <= start < 24 and 0 <= end < 24) or start == end:
        raise SettingsError(f"{name}={text!r} is neither two different hours, such as 21-07, nor off.")
    return start, end


def _path(env: Mapping[str, str], name: str) -> Path | None:
    text = env.get(name)
    return Path(text).resolve() if text else None


def _address(env: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    """An address on the network, without a trailing slash. The message does not repeat it: it may hold a password."""
    text = (env.get(name) or "").rstrip("/")
    if not text:
        return None
    told = urlsplit(text)
    if told.scheme not in schemes or not told.hostname:
        raise SettingsError(f"{name} is no address that begins with {' or '.join(f'{one}://' for one in schemes)}")
    if told.scheme == "http" and told.hostname not in ("127.0.0.1", "localhost"):
        raise SettingsError(
            f"{name} must begin with https://: what goes there, and the key to it, is nobody else's to read"
        )
    return text


def _woocommerce_url(env: Mapping[str, str]) -> str | None:
    url = _address(env, "WOOCOMMERCE_URL", ("https", "http"))
    if url and not (env.get("WOOCOMMERCE_KEY") and env.get("WOOCOMMERCE_SECRET")):
        raise SettingsError(
            "WOOCOMMERCE_URL is set, so WOOCOMMERCE_KEY and WOOCOMMERCE_SECRET must be, too: "
            "WooCommerce > Settings > Advanced > REST API makes them."
        )
    return url


def _alert_url(env: Mapping[str, str]) -> str | None:
    text = env.get("ALERT_URL") or ""
    if not text.startswith("mailto:"):
        return _address(env, "ALERT_URL", ("https", "http"))
    if "@" not in text:
        raise SettingsError(
            "ALERT_URL begins with mailto: and goes on with no address, such as mailto:ops@shop.example"
        )
    if not env.get("SMTP_URL"):
        raise SettingsError("ALERT_URL is an address for email, so SMTP_URL must say by which server it goes")
    return text


def _share(env: Mapping[str, str], name: str) -> float:
    share = _number(env, name, 0)
    if share > 1:
        raise SettingsError(
            f"{name}={env.get(name)!r} is no share: a number above 0 and up to 1, such as 0.05 for 5 %."
        )
    return share


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0
    if number <= 0:
        raise SettingsError(f"{name}={text!r} is not a number above 0.")
    return number
