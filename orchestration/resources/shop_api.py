"""The REST API of a WordPress site with WooCommerce: what changed, oldest first, and which webhooks are on.

`requests` with urllib3's retries: a call that fails in transit, or is answered 429 or 5xx, is made again up to five times, after
what Retry-After says, else after longer and longer waits. Only GET is ever used.
"""

from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from orchestration.core.errors import ShopError
from orchestration.core.pulling import Walk

PAGE = 100  # the most that both give at once
TRIES = 5
AGAIN = (429, 500, 502, 503, 504)
LONGEST_WAIT = 120
CONNECT_SECONDS = 10


class ShopApi:
    """A site's API at `url`, as the user and password given (for WooCommerce: key and secret), or as anybody.

    `backoff`: seconds after the first failure, doubled each time. `seconds`: how long an answer may take.
    """

    def __init__(
        self, url: str, auth: tuple[str, str] | None = None, *, backoff: float = 1.0, seconds: float = 60
    ) -> None:
        self._url = url
        self._seconds = seconds
        self._session = requests.Session()
        self._session.auth = auth
        self._session.trust_env = False  # a .netrc would take the place of no credentials
        retry = Retry(
            total=TRIES,
            allowed_methods=["GET"],
            status_forcelist=AGAIN,
            backoff_factor=backoff,
            backoff_max=LONGEST_WAIT,
            retry_after_max=LONGEST_WAIT,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def changed_orders(self, walk: Walk, *, status: str) -> list[dict[str, Any]]:
        """Up to PAGE orders of a status; `any` is all but `trash`."""
        return self._list("wc/v3/orders", {**_since(walk), "dates_are_gmt": "true", "status": status})

    def changed_products(self, walk: Walk) -> list[dict[str, Any]]:
        return self._list("wc/v3/products", {**_since(walk), "dates_are_gmt": "true"})

    def changed_posts(self, walk: Walk) -> list[dict[str, Any]]:
        """Up to PAGE posts; to whom has no credentials, published ones only."""
        # WordPress compares in its own time zone, and turns a time with an offset into that
        params = {**_since(walk), "modified_after": f"{walk.after:%Y-%m-%dT%H:%M:%S}Z", "_embed": "wp:term"}
        if self._session.auth:
            params |= {"status": "publish,future,draft,pending,private,trash", "context": "edit"}
        return self._list("wp/v2/posts", params)

    def variations(self, product_id: object) -> list[dict[str, Any]]:
        """Every variation of a product."""
        found: list[dict[str, Any]] = []
        while True:
            params = {"per_page": PAGE, "orderby": "id", "order": "asc", "offset": len(found)}
            page = self._list(f"wc/v3/products/{product_id}/variations", params)
            found += page
            if len(page) < PAGE:
                return found

    def currency(self) -> str:
        """The shop's currency, as its three letters."""
        told = self._get("wc/v3/settings/general/woocommerce_currency", {})
        if not isinstance(told, dict) or not isinstance(told.get("value"), str):
            raise ShopError("The shop did not say its currency.")
        return told["value"]

    def webhooks(self) -> list[dict[str, Any]]:
        """Every webhook with its `id`, `name`, `topic` and `status` (active, paused, disabled)."""
        return self._list("wc/v3/webhooks", {"per_page": PAGE})

    def _list(self, path: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        told = self._get(path, params)
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise ShopError(f"The shop's answer for {path} is no list of documents.")
        return told

    def _get(self, path: str, params: Mapping[str, Any]) -> Any:
        """Raises ShopError, which says no more of an answer than its status."""
        try:
            answer = self._session.get(
                f"{self._url}/wp-json/{path}", params=params, timeout=(CONNECT_SECONDS, self._seconds)
            )
        except requests.RequestException as error:
            raise ShopError(
                f"The shop did not answer for {path} ({type(error).__name__}). It is tried again."
            ) from None
        if answer.status_code in (401, 403):
            raise ShopError(f"The shop refused {path} ({answer.status_code}): see that the key may read it.")
        if answer.status_code != 200:
            raise ShopError(f"The shop answered {answer.status_code} for {path}. It is tried again.")
        try:
            return answer.json()
        except ValueError:
            raise ShopError(f"The shop's answer for {path} is not JSON: is it down for maintenance?") from None


def _since(walk: Walk) -> dict[str, Any]:
    params: dict[str, Any] = {
        "modified_after": f"{walk.after:%Y-%m-%dT%H:%M:%S}",
        "orderby": "modified",
        "order": "asc",
        "per_page": PAGE,
    }
    return params | ({"exclude": ",".join(sorted(walk.seen))} if walk.seen else {})
