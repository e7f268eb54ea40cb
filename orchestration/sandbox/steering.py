"""What an address makes the sandbox do (the table is in the package's docstring)."""

HARD_BOUNCE = "hard_bounce"
SOFT_BOUNCE = "soft_bounce"
COMPLAINT = "complaint"
UNSUBSCRIBE = "unsubscribe"
DELIVERED = "delivered"

_OUTCOMES = {
    "bounce": HARD_BOUNCE,
    "softbounce": SOFT_BOUNCE,
    "complaint": COMPLAINT,
    "unsubscribe": UNSUBSCRIBE,
}


def outcome_of_send(address: str) -> str:
    """What becomes of an email to `address`."""
    local = address.lower()
    for prefix, outcome in _OUTCOMES.items():
        if local.startswith(prefix):
            return outcome
    return DELIVERED


def looks_fake(address: str) -> bool:
    """Whether the address is refused as fake when it is first added."""
    return address.lower().startswith("fake")


def never_subscribable(address: str) -> bool:
    """Whether the address counts as in a compliance state from the start."""
    return address.lower().startswith("compliance")
