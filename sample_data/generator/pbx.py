"""The calls as phone systems on the premises write them, each with the traps of its layout."""

from __future__ import annotations

import csv
from datetime import UTC, timedelta

from generator.portal import Portal
from generator.systems import OURS, Call, calls, legs, quoted, span, table, wall, words


def pbx_samples(portal: Portal) -> dict[str, str | bytes]:
    """File -> content."""
    made = calls(portal)
    return {
        "asterisk/Master.csv": _asterisk(made),
        "asterisk/Master-custom.csv": _asterisk_custom(made),
        "freepbx/cdr.csv": _freepbx(made),
        "grandstream/cdr.csv": _grandstream(made),
        "cisco-cucm/cdr_StandAloneCluster_01_202503140930_1": _cucm(made),
        "freeswitch/Master.csv": _freeswitch(made),
        "avaya/smdr.csv": _avaya(made),
    }


def _pbx(call: Call, extension: str, talk_s: int, leg: int) -> dict[str, object]:
    """What every descendant of Asterisk writes, by name."""
    source, target = (call.number or "anonymous", extension) if call.inbound else (extension, call.number)
    result = {"answered": "ANSWERED", "missed": "NO ANSWER", "busy": "BUSY", "failed": "FAILED"}
    trunk, phone = f"PJSIP/trunk-000000{call.n:02x}", f"PJSIP/{extension}-000000{call.n + 64 + leg:02x}"
    unique = f"{int(call.at.timestamp())}.{call.n * 4 + leg}"
    return {
        "accountcode": "", "src": source, "dst": target, "dcontext": "from-trunk" if call.inbound else "from-internal",
        "clid": f'"{call.name if call.inbound else call.agent}" <{source}>',
        "channel": trunk if call.inbound else phone, "dstchannel": phone if call.inbound else trunk, "lastapp": "Dial",
        "lastdata": f"{phone if call.inbound else trunk},60,tT", "start": call.clock,
        "answer": wall(call.answered) if talk_s else "", "end": wall(call.at + timedelta(seconds=call.ring_s + talk_s)),
        "duration": call.ring_s + talk_s, "billsec": talk_s,
        "disposition": result[call.result] if leg or len(legs(call)) == 1 else "NO ANSWER", "amaflags": "DOCUMENTATION",
        "uniqueid": unique, "userfield": "", "peeraccount": "", "linkedid": f"{int(call.at.timestamp())}.{call.n * 4}",
        "sequence": call.n * 4 + leg,
    }  # fmt: skip


def _records(made: list[Call]) -> list[dict[str, object]]:
    """Every leg of the calls, and two calls from desk to desk."""
    found = [_pbx(call, each, talk, leg) for call in made for leg, (each, talk) in enumerate(legs(call))]
    inside = _pbx(made[0], "201", 12, 2)
    return [*found, {**inside, "src": "202", "linkedid": inside["uniqueid"]}, {**inside, "src": "203", "dst": "*97",
                    "uniqueid": "1741944600.99", "linkedid": "1741944600.99", "lastapp": "VoiceMailMain"}]  # fmt: skip


def _asterisk(made: list[Call]) -> str:
    """21 columns; texts quoted, numbers not, a bare nothing where nobody answered; a record cut off at the end."""
    lines = []
    for row in _records(made):
        cells = [
            str(value) if isinstance(value, int) or (name == "answer" and not value) else quoted(str(value))
            for name, value in row.items()
        ]
        lines.append(",".join(cells))
    return (
        "\n".join([*lines, '"","12065550199","201","from-trunk","""Cut"" <12065550199>","PJSIP/trunk-000000ff"']) + "\n"
    )


def _asterisk_custom(made: list[Call]) -> str:
    names = ("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
             "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "sequence")  # fmt: skip
    return table([{**row, "uniqueid": row["linkedid"]}[name] for name in names] for row in _records(made)[:10])


def _freepbx(made: list[Call]) -> str:
    """26 columns; caller ids as they are, quotes and all, where nothing is quoted that has no comma or blank in it."""
    names = ("calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "duration", "billsec",
             "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "did", "cnum", "cnam", "outbound_cnum",
             "outbound_cnam", "dst_cnam", "recordingfile", "linkedid", "peeraccount", "sequence")  # fmt: skip
    lines = [",".join(names)]
    for row in _records(made):
        inbound = row["dcontext"] == "from-trunk"
        recording = f"in-{row['dst']}-{row['src']}-{row['uniqueid']}.wav" if row["billsec"] else ""
        more = {"calldate": row["start"], "amaflags": 3, "did": OURS if inbound else "", "cnum": row["src"], "cnam": "",
                "outbound_cnum": "" if inbound else OURS, "outbound_cnam": "", "dst_cnam": "", "recordingfile": recording}  # fmt: skip
        cells = [str({**row, **more}[name]) for name in names]
        lines.append(",".join(quoted(cell) if "," in cell else cell for cell in cells))
    return "\n".join(lines) + "\n"


def _grandstream(made: list[Call]) -> str:
    """22 columns; one row as the guide shows them, with commas that nobody quoted."""
    names = ("AcctId", "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start",
             "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield", "channel_ext",
             "dstchannel_ext", "service")  # fmt: skip
    rows = []
    for place, row in enumerate(_records(made)):
        more = {"AcctId": 500 + place, "channel_ext": row["src"], "dstchannel_ext": row["dst"], "service": "s", "userfield": "EXT",
                "uniqueid": row["linkedid"]}  # fmt: skip
        rows.append([{**row, **more}[name] for name in names])
    loose = ",".join(map(str, rows[0])) + "\n"
    return table([names, *rows]) + loose


def _cucm(made: list[Call]) -> str:
    """Names, a line of SQL types, then records; addresses as signed integers. A transfer is two records of one call."""
    types = [
        "VARCHAR(50)"
        if "Number" in n or "Name" in n or "User" in n
        else "UNIQUEIDENTIFIER"
        if n == "pkid"
        else "INTEGER"
        for n in _CUCM
    ]
    rows = []
    for call in made:
        for leg, (extension, talk) in enumerate(legs(call)):
            source, target = (
                (f"+{call.number}" if call.number else "", extension)
                if call.inbound
                else (extension, f"+{call.number}")
            )
            began = int(call.at.astimezone(UTC).timestamp())
            cause = 16 if talk else {"busy": 17, "missed": 19, "failed": 41}.get(call.result, 16)
            cells = {
                "cdrRecordType": 1, "globalCallID_callManagerId": 2, "globalCallID_callId": 4700 + call.n, "origLegCallIdentifier": 9000 + call.n,
                "dateTimeOrigination": began, "origNodeId": 1, "origSpan": 0, "origIpAddr": -1139627840, "callingPartyNumber": source,
                "callingPartyUnicodeLoginUserID": "" if call.inbound else call.agent_email.split("@")[0], "origCause_location": 0, "origCause_value": 0,
                "destIpAddr": 310625290, "originalCalledPartyNumber": target, "finalCalledPartyNumber": target,
                "finalCalledPartyUnicodeLoginUserID": call.agent_email.split("@")[0] if call.inbound else "", "destCause_location": 0,
                "destCause_value": cause, "dateTimeConnect": began + call.ring_s if talk else 0, "dateTimeDisconnect": began + call.ring_s + talk,
                "lastRedirectDn": target, "pkid": f"a1b2c3d4-0000-4000-8000-00000000{call.n:02}{leg:02}", "originalCalledPartyNumberPartition": "MAIN",
                "duration": talk, "origDeviceName": "GATEWAY-A" if call.inbound else f"SEP{extension}", "destDeviceName": f"SEP{extension}",
                "globalCallId_ClusterID": "StandAloneCluster",
            }  # fmt: skip
            rows.append([cells[name] for name in _CUCM])
    return table([_CUCM, types, *rows], quoting=csv.QUOTE_NONNUMERIC)


def _freeswitch(made: list[Call]) -> str:
    """15 columns, no header; one row as a spreadsheet saves it, without seconds."""
    causes = {"answered": "NORMAL_CLEARING", "missed": "NO_ANSWER", "busy": "USER_BUSY", "failed": "CALL_REJECTED"}
    rows = []
    for call in made:
        source, target, context = (
            (call.number or "anonymous", call.extension, "public")
            if call.inbound
            else (call.extension, call.number, "default")
        )
        rows.append([call.name if call.inbound else call.agent, source, target, context, call.clock, wall(call.answered), wall(call.ended),
                     call.ring_s + call.talk_s, call.talk_s, causes[call.result], f"7f000000-0000-4000-8000-0000000000{call.n:02}", "", "", "PCMU", "PCMU"])  # fmt: skip
    rows[3] = [wall(made[3].at, "%Y/%m/%d %H:%M") if place == 4 else cell for place, cell in enumerate(rows[3])]
    return table(rows, quoting=csv.QUOTE_ALL)


def _avaya(made: list[Call]) -> str:
    """No header; the records of one call share its id and start, the last one ends the call (continuation 0)."""
    rows = []
    for call in made:
        parts = legs(call)
        for leg, (extension, talk) in enumerate(parts):
            source, target = (call.number, extension) if call.inbound else (extension, call.number)
            rows.append([wall(call.at, "%Y/%m/%d %H:%M:%S"), span(talk), call.ring_s, source, "I" if call.inbound else "O", target, target, "", 0,
                         1000100 + call.n, int(leg + 1 < len(parts)), f"E{extension}", call.agent, "T9001", "Line 1.0", 0, 0])  # fmt: skip
    rows.append(
        [
            "2025/03/14 16:00:00",
            "00:00:10",
            2,
            "201",
            "O",
            "202",
            "202",
            "",
            1,
            1000199,
            0,
            "E201",
            "Desk 1",
            "E202",
            "Desk 2",
            0,
            0,
        ]
    )
    return table(rows, end="\r\n")


_CUCM = words(
    "cdrRecordType globalCallID_callManagerId globalCallID_callId origLegCallIdentifier dateTimeOrigination origNodeId origSpan origIpAddr "
    "callingPartyNumber callingPartyUnicodeLoginUserID origCause_location origCause_value destIpAddr originalCalledPartyNumber "
    "finalCalledPartyNumber finalCalledPartyUnicodeLoginUserID destCause_location destCause_value dateTimeConnect dateTimeDisconnect "
    "lastRedirectDn pkid originalCalledPartyNumberPartition duration origDeviceName destDeviceName globalCallId_ClusterID"
)
