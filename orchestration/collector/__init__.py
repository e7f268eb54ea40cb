"""The public door for events: an HTTP server that says yes only when an event is safely on disk.

    shop ──── /webhooks/woocommerce   signed ──┐
    Mailchimp /webhooks/mailchimp     signed ──┤            checked against            on disk, then
    servers ─ /v1/signups             a key ───┼──► rows ──► the contract ──► journal ──► 2xx
    browsers  /v1/article-views       origin ──┤                                │
    readers ─ /preferences/<link>     sealed ──┘                                ▼ renamed
                                                                    landing/<source>/…  ──► the sensor

It reads no table and no ledger, and works while they don't. Run it: `python -m orchestration.collector`.
Its own description is at /openapi.json, how it is doing at /healthz and /metrics.
"""
