"""A collector that listens, and what it wrote."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from orchestration.collector.server import running
from orchestration.settings import Settings

KEY = "a-key-of-servers"
SHOP = "https://shop.test"
SECRETS = {
    "COLLECTOR_KEY": KEY,
    "COLLECTOR_ORIGINS": SHOP,
    "WOOCOMMERCE_WEBHOOK_SECRET": "wc-secret",
    "MAILCHIMP_WEBHOOK_SECRET": "mc-secret",
    "MAILCHIMP_WEBHOOK_KEY": "mc-key",
    "PREFERENCES_KEY": "a-key-of-links",
}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BROWSER = {"Origin": SHOP, "User-Agent": FIREFOX}
SERVER = {"Authorization": f"Bearer {KEY}"}


@dataclass(frozen=True)
class Collector:
    """Where it is, and what of a source is on disk, landed or not."""

    settings: Settings
    url: str
    http: httpx.Client

    def post(self, path: str, **how) -> httpx.Response:
        return self.http.post(path, **how)

    def rows(self, source: str) -> list[dict]:
        files = stored(self.settings.landing_dir, source)
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def stored(landing_dir: Path, source: str) -> list[Path]:
    """The files of a source, in order: those that have landed, and those that are still open."""
    folders = (landing_dir / source, landing_dir / ".collector" / source)
    return sorted((file for folder in folders for file in folder.glob("*.jsonl")), key=lambda file: file.name)


def settings(folder: Path, **env: str) -> Settings:
    return Settings.from_env({"DATA_DIR": str(folder), "COLLECTOR_RATE": "100000", **SECRETS, **env})


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    of = settings(tmp_path)
    with running(of) as url, httpx.Client(base_url=url, trust_env=False) as http:
        yield Collector(of, url, http)
