"""The words that exports use: in headers for what a column is, in cells for outcomes and directions.

Tables only. English first; the usual German, French and Spanish headings beside it.
"""

from __future__ import annotations

import re

#: Role -> patterns on a column's name (lower case, words apart), the surest first.
ROLES: dict[str, tuple[str, ...]] = {
    "key": (
        r"(call|message|activity|event|task|note|engagement|meeting|conversation|interaction|log|ticket|internet message) ?id",
        r"(unique ?id|uuid|guid|uid|pkid|message ?identifier)", r"(call )?(sid|session id|leg id|history ?id|reference|ref)",
        r"id|nr|number|no|#", r".*\b(id|uuid|guid|uid)",
    ),
    "time": (
        r"(call |calls |event |activity )?(start|started|begin|began)( ?(date ?time|time|at|date|stamp|timestamp))?( (utc|gmt))?",
        r"(date ?time|timestamp|time ?stamp|call ?date|call ?time|date and time|date ?started|date ?/ ?time|occurred( (at|on))?)( \(?utc\)?)?",
        r"date ?time ?origination|(calls?|event|activity|message|sent|received|contact) ?(date|time|datetime|at|on)( ?time)?",
        r"date|when|datum|fecha|uhrzeit|zeitpunkt|date ?sent|fecha y hora|date de l appel|beginn|inicio|d[eé]but",
        r"due ?(date|at|on)?|activity date", r"(created?|added?|logged)( ?(date|time|at|on|by date))?|.*\b(start|begin)\b.*",
        r".*\b(date|time|timestamp)\b.*",
    ),
    "end": (r"(call |event )?(end|ended|finish|finished|stop|hang ?up|disconnect)( ?(date ?time|time|at|date|stamp))?|ende|fin",
            r".*\b(end|stop|disconnect|disconnected)\b.*"),
    "duration": (
        r"(call |total )?duration( (in )?\(?(s|sec|secs|seconds|ms|millis|milliseconds|min|mins|minutes|total|hh mm ss)\)?)?",
        r"(call )?(length|talk ?time|talking|talk ?duration|bill ?sec|billable seconds)|dauer|duraci[oó]n|dur[eé]e|gespr[aä]chsdauer",
        r"avg ?talk ?duration|handle ?time|(total )?(seconds|secs|minutes)|.*\b(duration|talk ?time|call length|seconds)\b.*",
    ),
    "from": (
        r"(call )?(from|caller|calling|source|src|origin|originator|ani|cli)( ?(number|phone|party|party number|id|num|no|phone number))?",
        r"(originating|source|outgoing|caller id)( number)?|von|anrufer|de|origen|appelant|clid|calling ?number",
        r".*\b(from|caller|calling|source|originating|ani)\b.*",
    ),
    "to": (
        r"(call )?(to|callee|called|dial+ed|destination|dst|dest|recipient|dnis)( ?(number|phone|party|party number|id|num|no|phone number))?",
        r"(final called party|original called party|terminating|target|an|ziel|destino|para|appel[eé])( ?number)?",
        r".*\b(to|called|callee|dial+ed|destination|dnis)\b.*",
    ),
    "phone": (
        r"(contact|customer|client|external|lead|prospect|person|patient|their)( s)?( ?(phone|number|phone number|mobile|tel|cell))+",
        r"phone( ?number)?|telephone( number)?|mobile( (phone|number))?|tel|cell( phone)?|telefon(nummer)?|tel[eé]fono|rufnummer|number",
        r".*\b(phone|mobile|telephone|msisdn)\b.*",
    ),
    "ours": (r"(our|internal|tracking|line|company|agent|queue|did|extension|inbound)( ?(number|phone|extension))",),
    "email": (
        r"(contact|customer|client|lead|person|prospect|attendee|guest|invitee|recipient|external|participant)s?( s)?( ?(e ?mail|email address|mail))+",
        r"e ?mail( ?address)?|mail|attendees?|participants?|invitees?|guests?|correo|required attendees", r".*\be ?mail\b.*",
    ),
    "owner": (
        r"(agent|user|owner|operator|rep|sales ?rep|employee|staff|host|organizer|assigned( to)?|assignee|advisor|representative|team member|handled by|created by|logged by)( ?(e ?mail|email address|mail))+",
        r"(agent|user|owner|operator|rep|assigned to|assignee|host|organizer|handled by|extension|bearbeiter|mitarbeiter|agente)( ?(name|id))?",
    ),
    "direction": (r"(call )?(direction|dir|richtung|direcci[oó]n|sens)( of call)?", r"(call |in ?/ ?out |inbound ?/? ?outbound )?type", r"in ?out"),
    "status": (
        r"(call |delivery |meeting |task |event )?(status|done|result|outcome|state|disposition|answered( y n)?)",
        r"status|ergebnis|resultado|r[eé]sultat|estado|hang ?up ?cause|completed|call ?result|last ?status|resolution|reason",
        r".*\b(status|result|outcome|disposition)\b.*",
    ),
    "recording": (r".*\b(recording|record ?file|audio|voicemail) ?(url|link|file)?.*", r"url|link"),
    "body": (
        r"(call |agent |meeting |internal )?(notes?|description|comments?|body|remarks?|details?|summary|text|content|message|transcript(ion)?)( ?(text|body))?",
        r"notiz(en)?|bemerkung(en)?|beschreibung|notas?|comentarios?|commentaires?|plain( text)?( body)?|text ?body",
        r".*\b(notes?|comments?|description|memo|wrap ?up)\b.*",
    ),
    "html": (r"(body |message )?html( ?body)?",),
    "title": (
        r"(call |meeting |event |task |activity |e ?mail |message )?(subject|title|summary|topic|betreff|titel|asunto|objet)|(meeting|event|task)( type)? name",
        r".*\b(subject|title|topic)\b.*",
    ),
    "company": (r"(company|account|organi[sz]ation|firm|business|employer|firma|empresa)( ?name)?",),
    "domain": (r"(company |account |website )?(domain|website|web ?site)( name)?",),
    "type": (r"(activity |engagement |task |event |interaction |log )?(type|kind|channel|category|art|tipo)",),
    "priority": (r"(task )?(priority|urgency|importance|priorit[aä]t|prioridad)",),
    "location": (r"(meeting |event )?(location|venue|room|place|where|ort|lugar)",),
    "sender": (r"from( ?(address|e ?mail|email address|mail|\(address\)))?|sender( ?(address|e ?mail|name))?|absender|remitente|mail ?from",),
    "sender_name": (r"(from|sender) ?(name|display name|\(name\))",),
    "recipients": (r"(to|recipients?)( ?(address(es)?|e ?mails?|list|\(address\)))?|empf[aä]nger|destinatarios?|rcpt ?to|sent to",),
    "cc": (r"cc( ?(address(es)?|e ?mails?|list|recipients))?",),
    "bcc": (r"bcc( ?(address(es)?|e ?mails?|list|recipients))?",),
    "zone": (r"(time ?zone|timezone|tz|zone)( name)?", r".*\b(time ?zone|timezone)\b.*"),
    "thread": (r"(thread|conversation) ?(id|identifier)",),
}  # fmt: skip

#: Engagement type -> words of a header that speak for it, with their weight.
TYPES: dict[str, dict[str, float]] = {
    "CALL": {
        r"\bcalls?\b": 2, r"caller|callee|dial|calling|called": 2, r"phone|ani\b|dnis|did\b|msisdn|extension": 1.5,
        r"talk|ring|billsec|voicemail|hang ?up|queue|trunk": 1.5, r"duration": 1, r"recording": 1.5, r"direction": 0.7,
        r"disposition": 0.7, r"\b(anruf|llamada|appel)": 2, r"\bdst\b|\bsrc\b|clid": 2, r"agent": 0.5,
    },
    "EMAIL": {
        r"\bsubject\b|betreff|asunto": 1.5, r"e ?mail": 0.7, r"message ?id|internet message": 2, r"\bb?cc\b": 2, r"sender|recipients?": 1.5,
        r"\bhtml\b": 1.5, r"from (name|address|e ?mail)|to (address|e ?mail)|mailbox|folder|labels": 1.5, r"attachments?": 0.7,
        r"thread": 1,
    },
    "MEETING": {
        r"meetings?\b|appointment|calendar|termin|reuni": 3, r"attendees?|invitees?|participants?|guests?|organi[sz]er": 2.5, r"location|venue|room": 1.5,
        r"\bend\b|ends?\b": 1, r"all ?day": 2, r"no show|joined": 1.5, r"\bevent\b": 1.5, r"start": 0.3,
    },
    "TASK": {
        r"\btasks?\b|to ?do|aufgabe|tarea": 3, r"\bdue\b": 3, r"priority": 1.5, r"assigned|assignee": 1.5, r"completed": 1, r"status": 0.5,
        r"reminder": 1.5,
    },
    "NOTE": {r"\bnotes?\b|notiz": 1.5, r"\bcomments?\b": 1, r"body|content|text": 0.7, r"created": 0.5, r"author": 1.5},
}  # fmt: skip

#: What a value says, folded -> the word of the payload. "" is a word that is known and has no counterpart.
DIRECTION = {
    "inbound": "INBOUND", "incoming": "INBOUND", "in": "INBOUND", "i": "INBOUND", "received": "INBOUND",
    "inbound queue": "INBOUND", "eingehend": "INBOUND", "entrante": "INBOUND", "entrant": "INBOUND", "inbound call": "INBOUND",
    "incoming call": "INBOUND", "incoming_call": "INBOUND", "missed": "INBOUND", "terminating": "INBOUND",
    "outbound": "OUTBOUND", "outgoing": "OUTBOUND", "out": "OUTBOUND", "o": "OUTBOUND", "placed": "OUTBOUND", "dialed": "OUTBOUND",
    "outbound api": "OUTBOUND", "outbound dial": "OUTBOUND", "ausgehend": "OUTBOUND", "saliente": "OUTBOUND", "sortant": "OUTBOUND",
    "outbound call": "OUTBOUND", "outgoing call": "OUTBOUND", "made": "OUTBOUND", "originating": "OUTBOUND", "click to call": "OUTBOUND",
    "trunking originating": "OUTBOUND", "trunking terminating": "INBOUND", "internal": "", "intern": "", "interno": "", "int": "",
}  # fmt: skip
INTERNAL = ("internal", "intern", "interno", "int")
CALL_STATUS = {
    "answered": "COMPLETED", "completed": "COMPLETED", "connected": "COMPLETED", "call connected": "COMPLETED",
    "success": "COMPLETED", "accepted": "COMPLETED", "ok": "COMPLETED", "normal clearing": "COMPLETED", "recorded": "COMPLETED",
    "answered call": "COMPLETED", "handled": "COMPLETED", "complete": "COMPLETED", "voicemail": "COMPLETED", "left voicemail": "COMPLETED", "mailbox": "COMPLETED",
    "voice mail": "COMPLETED", "yes": "COMPLETED", "y": "COMPLETED", "true": "COMPLETED", "1": "COMPLETED", "t": "COMPLETED",
    "call finished": "COMPLETED", "beantwortet": "COMPLETED", "angenommen": "COMPLETED", "contestada": "COMPLETED", "picked up": "COMPLETED",
    "no answer": "NO_ANSWER", "noanswer": "NO_ANSWER", "missed": "NO_ANSWER", "unanswered": "NO_ANSWER", "abandoned": "NO_ANSWER",
    "missed call": "NO_ANSWER", "not answered": "NO_ANSWER", "no user response": "NO_ANSWER", "abandoned call": "NO_ANSWER",
    "no": "NO_ANSWER", "n": "NO_ANSWER", "false": "NO_ANSWER", "0": "NO_ANSWER", "f": "NO_ANSWER", "timeout": "NO_ANSWER",
    "ring no answer": "NO_ANSWER", "verpasst": "NO_ANSWER", "perdida": "NO_ANSWER", "hang up": "NO_ANSWER",
    "busy": "BUSY", "user busy": "BUSY", "line busy": "BUSY", "besetzt": "BUSY", "ocupado": "BUSY",
    "failed": "FAILED", "congestion": "FAILED", "error": "FAILED", "rejected": "FAILED", "declined": "FAILED", "wrong number": "FAILED",
    "blocked": "FAILED", "invalid number": "FAILED", "call failed": "FAILED", "chanunavail": "FAILED", "disconnected": "FAILED",
    "canceled": "CANCELED", "cancelled": "CANCELED", "cancel": "CANCELED", "originator cancel": "CANCELED",
    "in progress": "IN_PROGRESS", "ringing": "RINGING", "queued": "QUEUED",
}  # fmt: skip
DISPOSITION = {
    **dict.fromkeys(("answered", "connected", "completed", "call connected", "answered call", "handled", "accepted", "picked up"), "Connected"),
    **dict.fromkeys(("voicemail", "left voicemail", "voice mail", "left message", "vm", "mailbox"), "Left voicemail"),
    **dict.fromkeys(("left live message",), "Left live message"),
    **dict.fromkeys(("no answer", "noanswer", "missed", "unanswered", "missed call", "not answered", "ring no answer"), "No answer"),
    **dict.fromkeys(("busy", "user busy", "line busy"), "Busy"), **dict.fromkeys(("wrong number", "invalid number"), "Wrong number"),
}  # fmt: skip
TASK_STATUS = {
    **dict.fromkeys(("not started", "open", "new", "todo", "to do", "pending", "offen", "pendiente", "no", "false", "0", "n", "overdue"), "NOT_STARTED"),
    **dict.fromkeys(("in progress", "started", "doing", "active", "in bearbeitung"), "IN_PROGRESS"),
    **dict.fromkeys(("completed", "complete", "done", "closed", "finished", "erledigt", "completada", "yes", "true", "1", "y"), "COMPLETED"),
    **dict.fromkeys(("waiting", "waiting on someone else", "on hold", "blocked"), "WAITING"),
    **dict.fromkeys(("deferred", "postponed", "cancelled", "canceled"), "DEFERRED"),
}  # fmt: skip
MEETING_OUTCOME = {
    **dict.fromkeys(("completed", "held", "done", "attended", "complete", "took place", "yes", "showed"), "COMPLETED"),
    **dict.fromkeys(("scheduled", "planned", "confirmed", "upcoming", "booked", "accepted", "tentative"), "SCHEDULED"),
    **dict.fromkeys(("rescheduled", "moved"), "RESCHEDULED"), **dict.fromkeys(("no show", "noshow", "missed", "did not attend"), "NO_SHOW"),
    **dict.fromkeys(("canceled", "cancelled", "declined"), "CANCELED"),
}  # fmt: skip
PRIORITY = {
    **dict.fromkeys(("high", "urgent", "critical", "highest", "hoch", "alta", "1"), "HIGH"),
    **dict.fromkeys(("normal", "medium", "mittel", "media", "2"), "MEDIUM"),
    **dict.fromkeys(("low", "lowest", "niedrig", "baja", "3"), "LOW"), **dict.fromkeys(("none",), "NONE"),
}  # fmt: skip
EMAIL_DIRECTION = {
    **dict.fromkeys(("sent", "outbound", "outgoing", "out", "o", "send", "originating"), "EMAIL"),
    **dict.fromkeys(("received", "inbound", "incoming", "in", "i", "incoming"), "INCOMING_EMAIL"),
    **dict.fromkeys(("forwarded", "forward"), "FORWARDED_EMAIL"),
}  # fmt: skip
ACTIVITY = {
    **dict.fromkeys(("call", "phone call", "phone", "telephone", "anruf", "llamada", "calls", "inbound call", "outbound call"), "CALL"),
    **dict.fromkeys(("email", "e mail", "mail", "message", "listemail", "emails"), "EMAIL"),
    **dict.fromkeys(("meeting", "event", "appointment", "lunch", "demo", "visit", "termin", "reunion", "meetings", "dinner"), "MEETING"),
    **dict.fromkeys(("note", "comment", "notiz", "nota", "notes"), "NOTE"),
    **dict.fromkeys(("task", "todo", "to do", "deadline", "follow up", "followup", "aufgabe", "tarea", "tasks", "other"), "TASK"),
}  # fmt: skip
#: Letters of zones -> the IANA name that is usually meant.
ZONE_LETTERS = {
    **dict.fromkeys(("ET", "EST", "EDT"), "America/New_York"), **dict.fromkeys(("CT", "CST", "CDT"), "America/Chicago"),
    **dict.fromkeys(("MT", "MST", "MDT"), "America/Denver"), **dict.fromkeys(("PT", "PST", "PDT"), "America/Los_Angeles"),
    **dict.fromkeys(("CET", "CEST", "MEZ", "MESZ"), "Europe/Berlin"), **dict.fromkeys(("BST",), "Europe/London"),
}  # fmt: skip


def folded(text: str) -> str:
    """A name or a value as these tables have it: lower case, words apart by one space.

    >>> folded("CallDurationInSeconds"), folded("NO_ANSWER"), folded("Start Time (UTC)")
    ('call duration in seconds', 'no answer', 'start time utc')
    """
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return " ".join(re.sub(r"[\W_]+", " ", text).split()).casefold()
