"""The demo shop's pages."""

import asyncio
import re

import httpx

from orchestration.demo.catalogue import articles
from orchestration.demo.shop import create_app


def test_every_published_article_has_a_page_with_the_beacon_and_the_form():
    listed = re.findall(r'href="(/blog/[a-z0-9-]+)"', _get("/").text)
    published = [article for article in articles().values() if article.status == "publish"]
    assert len(listed) == len(published) > 10
    page = _get(f"/blog/{published[0].slug}").text
    assert f'<script src="http://127.0.0.1:8030/beacon.js" data-article="{published[0].article_id}"></script>' in page
    assert 'id="signup"' in page
    assert _get("/blog/there-is-none").status_code == 404


def _get(path: str) -> httpx.Response:
    async def get() -> httpx.Response:
        shop = httpx.ASGITransport(create_app("http://127.0.0.1:8030"))
        async with httpx.AsyncClient(transport=shop, base_url="http://shop.test") as http:
            return await http.get(path)

    return asyncio.run(get())
