"""Steering the sandbox, and asking it what happened, under /sandbox. All of it is JSON; nothing here is Mailchimp's.

    POST   /sandbox/faults        a rule, or a list of them (their fields: faults.py); answers the list with their ids
    GET    /sandbox/faults        every rule, how many calls it has seen and how many got its fault
    DELETE /sandbox/faults        forget all rules; DELETE /sandbox/faults/3: that one
    GET    /sandbox/calls         how many calls of the API were answered how, in the order of their first
    DELETE /sandbox/calls         count anew
    GET    /sandbox/mailbox       who got how many emails of which campaign (?campaign_id=… for one); no tests
    POST   /sandbox/lists/{id}/marketing-permissions   turn the list's GDPR fields on

    $ curl localhost:8025/sandbox/faults -d '{"endpoint": "POST /campaigns", "fault": "502", "when": "after"}'

Rules and counts live as long as the process. They hold no personal data: a call is counted under its endpoint's pattern.
"""

import json
from collections import Counter

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.sandbox.faults import BadRule, Fault, Faults
from orchestration.sandbox.marketing_permissions import turn_on
from orchestration.sandbox.store import Store


class Control:
    """The sandbox's rules and counts. Each method but `count` answers one request."""

    def __init__(self, faults: Faults, store: Store) -> None:
        self.faults = faults
        self._store = store
        self._calls: Counter[tuple[str, int | None, str | None, str | None]] = Counter()

    def count(self, endpoint: str, status: int | None, fault: Fault | None) -> None:
        """One call was answered; `status` None: it got no answer."""
        self._calls[(endpoint, status, fault and fault.kind, fault and fault.when)] += 1

    async def tell(self, request: Request) -> Response:
        try:
            given = json.loads(await request.body())
            told = self.faults.tell(given if isinstance(given, list) else [given])
        except BadRule as error:
            return JSONResponse({"error": str(error)}, 400)
        except ValueError:
            return JSONResponse({"error": "The body is a rule, or a list of rules, as JSON."}, 400)
        return JSONResponse({"faults": [one.as_json() for one in told]}, 201)

    async def told(self, request: Request) -> Response:
        return JSONResponse({"faults": [one.as_json() for one in self.faults.told]})

    async def forget(self, request: Request) -> Response:
        wanted = request.path_params.get("fault_id")
        self.faults.told = [one for one in self.faults.told if wanted not in (None, one.id)]
        return Response(status_code=204)

    async def calls(self, request: Request) -> Response:
        calls = [
            {
                "method": endpoint.partition(" ")[0],
                "path": endpoint.partition(" ")[2],
                "status": status,
                "fault": kind,
                "when": when,
                "count": count,
            }
            for (endpoint, status, kind, when), count in self._calls.items()
        ]
        return JSONResponse({"calls": calls, "total": self._calls.total()})

    async def count_anew(self, request: Request) -> Response:
        self._calls.clear()
        return Response(status_code=204)

    def mailbox(self, request: Request) -> Response:
        with self._store.transaction() as db:
            rows = db.execute(
                """
                select emails.campaign_id, json_extract(campaigns.settings, '$.title') as title,
                    emails.email_address, count(*) as count
                from emails join campaigns on campaigns.id = emails.campaign_id
                where not emails.is_test and ? in ('', emails.campaign_id)
                group by emails.campaign_id, lower(emails.email_address) order by min(emails.id)
                """,
                (request.query_params.get("campaign_id", ""),),
            ).fetchall()
        emails = [
            {"campaign_id": campaign_id, "title": title or "", "to": address, "count": count}
            for campaign_id, title, address, count in rows
        ]
        return JSONResponse({"emails": emails, "total": sum(email["count"] for email in emails)})

    def turn_on_marketing_permissions(self, request: Request) -> Response:
        with self._store.transaction() as db:
            turn_on(db, request.path_params["list_id"])
        return Response(status_code=204)


def control_routes(control: Control) -> list[Route]:
    return [
        Route("/sandbox/faults", control.told),
        Route("/sandbox/faults", control.tell, methods=["POST"]),
        Route("/sandbox/faults", control.forget, methods=["DELETE"]),
        Route("/sandbox/faults/{fault_id:int}", control.forget, methods=["DELETE"]),
        Route("/sandbox/calls", control.calls),
        Route("/sandbox/calls", control.count_anew, methods=["DELETE"]),
        Route("/sandbox/mailbox", control.mailbox),
        Route(
            "/sandbox/lists/{list_id}/marketing-permissions", control.turn_on_marketing_permissions, methods=["POST"]
        ),
    ]
