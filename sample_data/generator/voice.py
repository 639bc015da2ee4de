"""The calls as pages of a Google Voice archive: a voicemail, two conversations (with a picture alone), a page that is none."""

from __future__ import annotations

from datetime import UTC, timedelta

from generator.portal import Portal
from generator.systems import OURS, Call, calls, wall


def voice_samples(portal: Portal) -> dict[str, str]:
    """File -> content."""
    return {f"google-voice/{name}": page for name, page in _voice(calls(portal)).items()}


def _voice(made: list[Call]) -> dict[str, str]:
    """Pages of calls, a voicemail, two conversations (one with a picture alone), and a page that is none."""
    pages = {"Bills.html": "<html><head><title>Bills</title></head><body>nothing</body></html>\n"}
    for call in made[:9]:
        kind = ("Received" if call.inbound else "Placed") if call.talk_s else "Missed" if call.inbound else "Placed"
        kind, said_ = (
            ("Voicemail", '<span class="full-text">Please call me back, 1 &lt; 2.</span><br/>')
            if call.n == 2
            else (kind, "")
        )
        length = (
            f'<abbr class="duration" title="PT{call.talk_s // 60}M{call.talk_s % 60}S">({call.talk_s})</abbr>'
            if call.talk_s
            else ""
        )
        phone = f"tel:+{call.number}" if call.number else "tel:"
        pages[f"{call.name} - {kind} - {wall(call.at.astimezone(UTC), '%Y-%m-%dT%H_%M_%SZ')}.html"] = _page(
            f'<div class="haudio"><span class="fn">{kind} call</span><div class="contributor vcard"><a class="tel" href="{phone}"><span class="fn">{call.name}</span></a></div>'
            f'<abbr class="published" title="{call.at.isoformat(timespec="milliseconds")}">x</abbr>{said_}{length}{_tags(kind, "Inbox")}</div>'
        )
    for call in made[9:11]:
        me, they = (
            ("tel:+" + OURS, '<abbr class="fn" title="">Me</abbr>'),
            (f"tel:+{call.number}", f'<span class="fn">{call.name}</span>'),
        )
        said = ((they, "Are you there?<br>It is me"), (me, "Yes, call you at 3"), (they, ""))
        messages = "".join(
            f'<div class="message"><abbr class="dt" title="{(call.at + timedelta(minutes=place)).isoformat(timespec="milliseconds")}">x</abbr>: '
            f'<cite class="sender vcard"><a class="tel" href="{who[0]}">{who[1]}</a></cite>: <q>{text}</q>{"" if text else "<img src=photo-1>"}</div>'
            for place, (who, text) in enumerate(said)
        )
        pages[f"{call.name} - Text - {wall(call.at.astimezone(UTC), '%Y-%m-%dT%H_%M_%SZ')}.html"] = _page(
            f'<div class="hChatLog hfeed">{messages}</div>{_tags("Text")}'
        )
    return pages


def _page(body: str) -> str:
    return f'<?xml version="1.0" ?>\n<html><head><meta charset="UTF-8"/><title>page</title></head><body>{body}</body></html>\n'


def _tags(*names: str) -> str:
    return '<div class="tags">Labels: ' + ", ".join(f'<a rel="tag" href="#">{name}</a>' for name in names) + "</div>"
