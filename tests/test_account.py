"""The account that commands share: one target for each wire."""

from __future__ import annotations

import pytest

from etl.cli.account import open_account
from etl.cli.options import AccountOptions


def test_the_target_of_the_accounts_own_wire_is_the_one_that_was_told_what_is_left_of_the_day(
    sandbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "any")
    options = AccountOptions(target=sandbox_url, api="objects", token_file=None, seed_data=None, checkpoint=None)
    with open_account(options) as account:
        assert account.connect("objects") is account.target
        other = account.connect("v1")
        assert other is not account.target
        assert account.connect("v1") is other
