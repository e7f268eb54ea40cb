"""A made-up shop, Larkspur Skin, that produces events: to see Pennypost at work without a shop of one's own.

    content/*.md, products.yaml        what the shop sells and writes
    people.yaml                        hand-made contacts, each there to make one rule visible
    crowd.py                           the generated rest
        │ seed.py (some weeks, at once)   trickle.py (one small file every few seconds)
        ▼
    landing/<source>/…

Everything is fictional; every address ends in `.test`, a domain that can never exist (RFC 2606).

Run: `python -m orchestration.demo seed`, `python -m orchestration.demo trickle --every 10`.
"""
