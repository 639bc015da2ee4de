"""The calls as phone systems of the cloud write them, each with the traps of its layout."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from generator.portal import Portal
from generator.systems import OURS, Call, calls, legs, span, table, wall, words


def cloud_samples(portal: Portal) -> dict[str, str | bytes]:
    """File -> content."""
    made = calls(portal)
    return {
        "3cx/report.csv": _three_cx(made),
        "callrail/calls.csv": _callrail(made),
        "aircall/history.csv": _aircall(made),
        "aircall/history-2.csv": _aircall_2(made),
        "dialpad/calls.csv": _dialpad(made),
        "8x8/cdr.csv": _eight(made),
        "twilio/calls.csv": _twilio(made),
    }


def _three_cx(made: list[Call]) -> str:
    """Several rows a call, and a last line of totals."""
    rows: list[list[object]] = []
    for call in made:
        for extension, talk in legs(call):
            desk, other = f"{call.agent} ({extension})", f"{call.name} ({call.number})" if call.number else "anonymous"
            source, target = (other, desk) if call.inbound else (desk, call.number)
            way = ("Inbound Queue" if call.n % 4 == 0 else "Inbound") if call.inbound else "Outbound"
            status = "Answered" if talk else "Unanswered"
            rows.append([wall(call.at, "%Y-%m-%dT%H:%M:%S"), f"00000{call.n:02}", source, target, way, status, span(call.ring_s),
                         span(talk), "", ""])  # fmt: skip
    rows.append(
        ["2025-03-14T16:00:00", "0000099", "201", "202", "Internal", "Answered", "00:00:02", "00:00:10", "", ""]
    )
    rows.append(
        ["2025-03-14T16:01:00", "0000100", "201", "12065550177", "Outbound", "Waiting", "00:00:02", "00:00:00", "", ""]
    )
    head = (
        "Call Time",
        "Call ID",
        "From",
        "To",
        "Direction",
        "Status",
        "Ringing",
        "Talking",
        "Cost",
        "Call Activity Details",
    )
    return table([head, *rows, ["Totals", "", "", "", "", "", "00:02:00", "01:25:00", "0", ""]])


def _callrail(made: list[Call]) -> str:
    """One row twice, as in exports that overlap; a status that nobody knows."""
    rows = [
        ["Answered Call" if call.talk_s else "Abandoned Call", "Website pool", "206-555-0100", ("Google Ads", "Direct", "Bing")[call.n % 3], call.clock,
         call.talk_s, call.name, call.number[1:] or "anonymous", "", 1 if call.n % 2 else "", "Seattle", "WA", "cpc" if call.n % 3 == 0 else "",
         "https://example.com/pricing", "new lead" if call.n % 5 == 0 else "", "", "", f"https://recordings.example.com/{call.n}" if call.talk_s else "",
         "Asked for a quote;\nwill call back" if call.n == 2 else ""]
        for call in made
    ]  # fmt: skip
    head = ["Call Status", "Number Name", "Tracking Number", "Source", "Start Time", "Duration (seconds)", "Name", "Phone Number", "Email",
            "First-Time Caller", "City", "State", "Medium", "Landing Page", "Tags", "Qualified", "Value", "Recording Url", "Note"]  # fmt: skip
    odd = ["Form Call", *rows[1][1:]]
    return table([head, *rows, rows[0], odd])


def _air_rows(made: list[Call]) -> list[dict[str, object]]:
    reasons = ("out_of_opening_hours", "short_abandoned", "no_available_agent")
    return [
        {"line": "Sales line", "at": call.at, "number timezone": "America/New_York", "datetime (UTC)": wall(call.at.astimezone(UTC)),
         "country_code": "US", "direction": "inbound" if call.inbound else "outbound",
         "from": (call.number or "anonymous") if call.inbound else OURS, "to": OURS if call.inbound else call.number,
         "answered": "Yes" if call.talk_s else "No", "missed_call_reason": "" if call.talk_s or not call.inbound else reasons[call.n % 3],
         "user": call.agent if call.talk_s else "", "duration (total)": call.ring_s + call.talk_s, "duration (in call)": call.talk_s or "",
         "via": "", "voicemail": "", "tags": "renewal" if call.n % 4 == 0 else ""}
        for call in made
    ]  # fmt: skip


def _aircall(made: list[Call]) -> str:
    rows = []
    for row in _air_rows(made):
        at = row.pop("at")
        assert isinstance(at, datetime)
        line, *rest = row.items()
        rows.append(
            dict(
                [
                    line,
                    ("date (TZ offset incl.)", wall(at, "%Y-%m-%d")),
                    ("time (TZ offset incl.)", wall(at, "%H:%M:%S")),
                    *rest,
                ]
            )
        )
    return table([list(rows[0]), *(list(row.values()) for row in rows)])


def _aircall_2(made: list[Call]) -> str:
    """One column for date and time; the day comes first; names that were decoded wrongly somewhere before."""
    rows = []
    for row in _air_rows(made):
        at = row.pop("at")
        assert isinstance(at, datetime)
        line, *rest = row.items()
        merged = dict(
            [line, ("datetime (tz offset incl.)", wall(at, "%d/%m/%Y %H:%M:%S %z")), *rest, ("ivr branch", "1 > Sales")]
        )
        merged["datetime (UTC)"] = wall(at.astimezone(UTC), "%d/%m/%Y %H:%M:%S")
        rows.append({**merged, "line": "Ventas M\u221a\u00a9xico"})
    return table([list(rows[0]), *(list(row.values()) for row in rows)])


def _dialpad(made: list[Call]) -> str:
    """Each row in the zone that it names; one row twice; one without an id."""
    head = words("date_started call_id operator_id operator_name operator_email disposition direction external_number internal_number date_rang "
            "date_queued date_connected date_ended target_id target_kind office_id company_id salesforce_activity_id recording_url note timezone")  # fmt: skip
    rows = []
    for call in made:
        zone = ("America/New_York", "America/Los_Angeles", "Europe/London")[call.n % 3]
        began, answered, ended = (
            wall(at.astimezone(ZoneInfo(zone)), "%Y-%m-%d %H:%M:%S.388365") if at else ""
            for at in (call.at, call.answered, call.ended)
        )
        number = (
            call.number
            if call.n % 2
            else f"({call.number[1:4]}) {call.number[4:7]}-{call.number[7:]}"
            if call.number
            else ""
        )
        rows.append([began, 5000000000000000 + call.n, 60 + call.n % 7, call.agent, call.agent_email, "Connected~Interested" if call.n % 4 == 0 else "",
                     "inbound" if call.inbound else "outbound", number, OURS, began, "", answered, ended, 71, "CallCenter", 8, 9, "",
                     f"https://recordings.example.com/d{call.n}" if call.talk_s else "", "wants the annual plan" if call.n == 3 else "", zone])  # fmt: skip
    return table([head, *rows, rows[2], [*rows[3][:1], "", *rows[3][2:]]])


def _eight(made: list[Call]) -> str:
    head = ("Call ID", "Leg ID", "Start Time", "Answer Time", "Stop Time", "Talk Time", "Caller", "Callee", "Direction", "Cause", "Status", "Parent Call ID",
            "Transfer to Call ID", "Caller Name", "Callee Name", "Caller Device ID", "Callee Device ID", "Caller Device Model")  # fmt: skip
    rows = []
    for call in made:
        for leg, (extension, talk) in enumerate(legs(call), 1):
            source, target = (
                (f"+{call.number}" if call.number else "anonymous", extension)
                if call.inbound
                else (extension, f"+{call.number}")
            )
            names = (call.name, call.agent) if call.inbound else (call.agent, call.name)
            began, answered, ended = (
                wall(at, "%Y-%m-%dT%H:%M:%S%z") for at in (call.at, call.answered if talk else None, call.ended)
            )
            rows.append([f"17418000{call.n:02}", leg, began, answered, ended, span(talk), source, target, "Incoming" if call.inbound else "Outgoing",
                         "Normal" if talk else "No answer", "Completed" if talk else "Missed", "", "", *names, "", "", ""])  # fmt: skip
    return table([head, *rows])


def _twilio(made: list[Call]) -> str:
    """A connector's table; the second leg of a forwarded call names the first; a time in the way of e-mail."""
    head = words("id account_id annotation answered_by caller_name created_at direction duration end_time forwarded_from from from_formatted "
            "outgoing_caller_id parent_call_id price price_unit queue_time start_time status to to_formatted trunk_id updated_at")  # fmt: skip
    status = {"answered": "completed", "missed": "no-answer", "busy": "busy", "failed": "failed"}
    rows = []
    for call in made:
        utc = wall(call.at.astimezone(UTC), "%Y-%m-%d %H:%M:%S.000000 UTC")
        began = wall(call.at.astimezone(UTC), "%a, %d %b %Y %H:%M:%S +0000") if call.n == 4 else utc
        source, target = (
            (call.number or "anonymous", OURS)
            if call.inbound
            else ("client:" + call.agent.split()[0].lower(), f"+{call.number}")
        )
        cells = dict.fromkeys(head, "") | {"id": f"CA{call.n:032x}", "account_id": "AC00000000000000000000000000000000", "created_at": utc,
                 "direction": "inbound" if call.inbound else "outbound-api", "duration": str(call.talk_s), "end_time": utc, "from": source,
                 "price_unit": "USD", "queue_time": "0", "start_time": began, "status": status[call.result], "to": target, "updated_at": utc}  # fmt: skip
        rows.append(cells)
        if call.n % 4 == 0:
            rows.append(
                {
                    **cells,
                    "id": f"CA{call.n + 256:032x}",
                    "parent_call_id": cells["id"],
                    "direction": "outbound-dial",
                    "to": "sip:201@example.com",
                    "duration": "0",
                }
            )
    return table([head, *(list(row.values()) for row in rows)])
