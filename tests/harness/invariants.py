"""invariants.py - what must hold for each row of an outbox table at each moment
SPDX-License-Identifier: MIT
"""

# Of a row `n`, `o` being what the sample before saw of it; in words that every engine knows.
INVARIANTS = {
    "status is one of the four": "n.status IN ('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD')",
    "locked_at is set if and only if DELIVERING":
        "(n.locked_at IS NOT NULL) = (n.status = 'DELIVERING')",
    "locked_by is set while DELIVERING":
        "n.status <> 'DELIVERING' OR coalesce(n.locked_by, '') <> ''",
    "delivered_at is set if and only if DELIVERED":
        "(n.delivered_at IS NOT NULL) = (n.status = 'DELIVERED')",
    "attempts never shrink": "o.attempts IS NULL OR n.attempts >= o.attempts",
    "DELIVERED and DEAD are final":
        "o.status IS NULL OR o.status NOT IN ('DELIVERED', 'DEAD') OR n.status = o.status",
    "delivered_at is written once":
        "o.status IS NULL OR o.status <> 'DELIVERED' OR n.delivered_at = o.delivered_at",
    "a retry moves available_at on":
        "o.attempts IS NULL OR n.status <> 'PENDING' OR n.attempts = o.attempts"
        " OR n.available_at > o.available_at",
    "what failed says why in last_error":
        "n.attempts = 0 OR n.status NOT IN ('PENDING', 'DEAD') OR n.last_error IS NOT NULL",
}  # fmt: skip
