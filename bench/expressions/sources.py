"""The cases in the language of each contender, as its users would write them, in the fastest form its pages show.

A case that is missing cannot be said in that language; CANNOT says why.
"""

from __future__ import annotations

from typing import Any

_CONDITION = 'input.amount > 1000.0 && input.country in ["DE", "FR"]'
_MAPPING = (
    '{"title": "Order for " + input.customer.name, "gross": input.amount * input.rate, '
    '"skus": input.items.filter(i, i.quantity > 2).map(i, i.sku)}'
)
_HTTP = (
    'steps.charge.output.status == 200 && steps.charge.output.body.result in ["accepted", "pending"] '
    '&& steps.charge.output.body.balance >= 100.0 && !steps.charge.output.headers["content-type"].startsWith("text/")'
)
_STRUCTURED = (
    'input.amount >= 1000.0 && (input.country in ["DE", "FR", "AT"] || input.customer.tier == "gold") '
    '&& !(input.customer.blocked == true) && input.customer.email.endsWith("@example.com") && size(input.items) > 0'
)
_TEXT = (
    '"Dear " + input.customer.name + ", your order " + input.id + " of " + string(input.amount) + " " '
    '+ input.currency + " will arrive on " + input.day + "."'
)
_WINDOW = "timestamp(input.at) >= timestamp(input.opens) && timestamp(input.at) < timestamp(input.closes)"
_OFFICE = (
    'timestamp(input.at).getHours("Europe/Berlin") >= 8 && timestamp(input.at).getHours("Europe/Berlin") < 18 '
    '&& timestamp(input.at).getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5]'
)


def _each(condition: Any, mapping: Any, **others: Any) -> dict[str, Any]:
    """Return sources by case; None for a case that cannot be said."""
    found = {
        "condition, 5 items": condition,
        "condition, 300 items": condition,
        "mapping, 5 items": mapping,
        "mapping, 300 items": mapping,
        **{name.replace("_", " ").replace("http", "HTTP"): source for name, source in others.items()},
    }
    return {name: source for name, source in found.items() if source is not None}


_CEL = _each(
    _CONDITION,
    _MAPPING,
    http_answer=_HTTP,
    structured_condition=_STRUCTURED,
    text=_TEXT,
    time_window=_WINDOW,
    office_hours=_OFFICE,
)

STEPWELL = _CEL | _each(
    'input.amount > 1000 && input.country in ["DE", "FR"]',
    {
        "title": "Order for ${input.customer.name}",
        "gross": "${input.amount * input.rate}",
        "skus": "${input.items.filter(i, i.quantity > 2).map(i, i.sku)}",
    },
    structured_condition={
        "all": [
            {"field": "input.amount", "operator": "gte", "value": 1000},
            {
                "any": [
                    {"field": "input.country", "operator": "in", "value": ["DE", "FR", "AT"]},
                    {"field": "input.customer.tier", "operator": "eq", "value": "gold"},
                ]
            },
            {"not": {"field": "input.customer.blocked", "operator": "eq", "value": True}},
            {"field": "input.customer.email", "operator": "ends_with", "value": "@example.com"},
            {"field": "input.items", "operator": "empty", "value": False},
        ]
    },
    text="Dear ${input.customer.name}, your order ${input.id} of ${input.amount} ${input.currency} "
    "will arrive on ${input.day}.",
)

_JSONATA = _each(
    'input.amount > 1000 and input.country in ["DE", "FR"]',
    '{"title": "Order for " & input.customer.name, "gross": input.amount * input.rate, '
    '"skus": [input.items[quantity > 2].sku]}',
    http_answer='steps.charge.output.status = 200 and steps.charge.output.body.result in ["accepted", "pending"] and '
    "steps.charge.output.body.balance >= 100 and "
    '$not($substring(steps.charge.output.headers.`content-type`, 0, 5) = "text/")',
    structured_condition='input.amount >= 1000 and (input.country in ["DE", "FR", "AT"] or '
    'input.customer.tier = "gold") and $not(input.customer.blocked = true) and '
    '$substring(input.customer.email, -12) = "@example.com" and $count(input.items) > 0',
    text='"Dear " & input.customer.name & ", your order " & input.id & " of " & input.amount & " " & input.currency '
    '& " will arrive on " & input.day & "."',
    time_window="$toMillis(input.at) >= $toMillis(input.opens) and $toMillis(input.at) < $toMillis(input.closes)",
)

_PYTHONIC_MAPPING = (
    '{"title": "Order for " + input["customer"]["name"], "gross": input["amount"] * input["rate"], '
    '"skus": [i["sku"] for i in input["items"] if i["quantity"] > 2]}'
)

SOURCES: dict[str, dict[str, Any]] = {
    "stepwell": STEPWELL,
    "jsonatapy": _JSONATA,
    "jsonata-python": _JSONATA,
    "cel-expr-python": _CEL,
    "common-expression-language": {name: source for name, source in _CEL.items() if name != "office hours"},
    "cel-python": _CEL,
    "zen-engine": _each(
        'input.amount > 1000 and input.country in ["DE", "FR"]',
        '{"title": "Order for " + input.customer.name, "gross": input.amount * input.rate, '
        '"skus": map(filter(input.items, #.quantity > 2), #.sku)}',
        http_answer='steps.charge.output.status == 200 and steps.charge.output.body.result in ["accepted", "pending"] '
        "and steps.charge.output.body.balance >= 100 "
        'and not startsWith(steps.charge.output.headers["content-type"], "text/")',
        structured_condition='input.amount >= 1000 and (input.country in ["DE", "FR", "AT"] or '
        'input.customer.tier == "gold") and not (input.customer.blocked == true) and '
        'endsWith(input.customer.email, "@example.com") and len(input.items) > 0',
        text="`Dear ${input.customer.name}, your order ${input.id} of ${input.amount} ${input.currency} "
        "will arrive on ${input.day}.`",
        time_window="d(input.at) >= d(input.opens) and d(input.at) < d(input.closes)",
        office_hours='d(input.at).tz("Europe/Berlin").hour() >= 8 and d(input.at).tz("Europe/Berlin").hour() < 18 '
        'and d(input.at).tz("Europe/Berlin").weekday() in [1, 2, 3, 4, 5]',
    ),
    "jmespath": _each(
        'input.amount > `1000` && contains(`["DE", "FR"]`, input.country)',
        None,
        http_answer="steps.charge.output.status == `200` && "
        'contains(`["accepted", "pending"]`, steps.charge.output.body.result) && '
        "steps.charge.output.body.balance >= `100` && "
        "!starts_with(steps.charge.output.headers.\"content-type\", 'text/')",
        structured_condition='input.amount >= `1000` && (contains(`["DE", "FR", "AT"]`, input.country) || '
        "input.customer.tier == 'gold') && !(input.customer.blocked == `true`) && "
        "ends_with(input.customer.email, '@example.com') && length(input.items) > `0`",
        text="join('', ['Dear ', input.customer.name, ', your order ', input.id, ' of ', to_string(input.amount), ' ', "
        "input.currency, ' will arrive on ', input.day, '.'])",
    ),
    "simpleeval": _each(
        'input["amount"] > 1000 and input["country"] in ["DE", "FR"]',
        _PYTHONIC_MAPPING,
        http_answer='steps["charge"]["output"]["status"] == 200 and '
        'steps["charge"]["output"]["body"]["result"] in ["accepted", "pending"] and '
        'steps["charge"]["output"]["body"]["balance"] >= 100 and '
        'not steps["charge"]["output"]["headers"]["content-type"].startswith("text/")',
        structured_condition='input["amount"] >= 1000 and (input["country"] in ["DE", "FR", "AT"] or '
        'input["customer"]["tier"] == "gold") and not (input["customer"]["blocked"] == True) and '
        'input["customer"]["email"].endswith("@example.com") and size(input["items"]) > 0',
        text="f\"Dear {input['customer']['name']}, your order {input['id']} of {input['amount']} {input['currency']} "
        "will arrive on {input['day']}.\"",
        time_window='timestamp(input["at"]) >= timestamp(input["opens"]) and '
        'timestamp(input["at"]) < timestamp(input["closes"])',
        office_hours='local(timestamp(input["at"]), "Europe/Berlin").hour >= 8 and '
        'local(timestamp(input["at"]), "Europe/Berlin").hour < 18 and '
        'local(timestamp(input["at"]), "Europe/Berlin").isoweekday() in [1, 2, 3, 4, 5]',
    ),
    "rule-engine": _each(
        'input["amount"] > 1000 and input["country"] in ["DE", "FR"]',
        _PYTHONIC_MAPPING,
        http_answer='steps["charge"]["output"]["status"] == 200 and '
        'steps["charge"]["output"]["body"]["result"] in ["accepted", "pending"] and '
        'steps["charge"]["output"]["body"]["balance"] >= 100 and '
        'not steps["charge"]["output"]["headers"]["content-type"].starts_with("text/")',
        structured_condition='input["amount"] >= 1000 and (input["country"] in ["DE", "FR", "AT"] or '
        'input["customer"]["tier"] == "gold") and not (input["customer"]["blocked"] == true) and '
        'input["customer"]["email"].ends_with("@example.com") and input["items"].length > 0',
        text='"Dear " + input["customer"]["name"] + ", your order " + input["id"] + " of " + input["amount"].to_str '
        '+ " " + input["currency"] + " will arrive on " + input["day"] + "."',
        time_window='$parse_datetime(input["at"]) >= $parse_datetime(input["opens"]) and '
        '$parse_datetime(input["at"]) < $parse_datetime(input["closes"])',
    ),
    "jq": _each(
        '.input.amount > 1000 and (.input.country | IN("DE", "FR"))',
        '{title: ("Order for " + .input.customer.name), gross: (.input.amount * .input.rate), '
        "skus: [.input.items[] | select(.quantity > 2) | .sku]}",
        http_answer='.steps.charge.output | .status == 200 and (.body.result | IN("accepted", "pending")) '
        'and .body.balance >= 100 and (.headers["content-type"] | startswith("text/") | not)',
        structured_condition='.input | .amount >= 1000 and ((.country | IN("DE", "FR", "AT")) or '
        '.customer.tier == "gold") and (.customer.blocked == true | not) and '
        '(.customer.email | endswith("@example.com")) and (.items | length > 0)',
        text='"Dear \\(.input.customer.name), your order \\(.input.id) of \\(.input.amount) \\(.input.currency) '
        'will arrive on \\(.input.day)."',
        time_window=".input | (.at | fromdateiso8601) >= (.opens | fromdateiso8601) and "
        "(.at | fromdateiso8601) < (.closes | fromdateiso8601)",
    ),
}

_NO_ZONES = "knows no named time zones"
CANNOT: dict[str, dict[str, str]] = {
    "jmespath": {
        "mapping, 5 items": "has no arithmetic",
        "mapping, 300 items": "has no arithmetic",
        "time window": "has no timestamps",
        "office hours": "has no timestamps",
    },
    "common-expression-language": {"office hours": _NO_ZONES},
    "jsonatapy": {"office hours": _NO_ZONES},
    "jsonata-python": {"office hours": _NO_ZONES},
    "rule-engine": {"office hours": "cannot bring a timestamp into another time zone"},
    "jq": {"office hours": "knows the time zone of its process only"},
}
