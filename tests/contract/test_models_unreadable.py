"""Models over a row in which a value cannot be read: what else there is can be changed, and is judged."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part

CLUB = "tests.support.models_club"
ADA = "/members/11111111-1111-4111-8111-111111111111"


@pytest.fixture
def club(sqlite: Backend, start: Serve) -> Api:
    """A member whose fee and starts cannot be read, and a match whose guest is no number."""
    api = start(sqlite, models=CLUB, create_tables=True)
    created = api.batch(
        part("c", "CREATE", "/clubs", {"name": "Eins"}),
        part("d", "CREATE", "/clubs", {"name": "Zwei"}),
        part("m", "CREATE", "/clubs/$c/players", {"email": "a@b", "id": ADA.removeprefix("/members/")}),
        part("n", "CREATE", "/matches", {"hostId": 1, "guestId": 2}),
    )
    assert created["committed"], created
    sqlite.run("""
        PRAGMA foreign_keys = OFF;
        UPDATE club_members SET fee = 'twelve', starts = 'soon';
        UPDATE club_matches SET guest_id = 'nobody'""")
    return api


def send(api: Api, *parts: Any) -> Any:
    """Run a batch whose answer may have unreadable values."""
    query = """mutation ($parts: [PartInput!]!) { batch(parts: $parts) {
        status parts { id status errors { code message pointer attributes } } } }"""
    return api.query(query, parts=[*parts])["batch"]


def test_other_attributes_can_be_changed_and_their_validators_run(club: Api, sqlite: Backend):
    done = send(
        club, part("u", "UPDATE", ADA, {"email": "ADA@Example.org", "level": "MASTER", "points": 11, "ends": 0})
    )

    assert done == {"status": "COMMITTED", "parts": [{"id": "u", "status": 200, "errors": []}]}
    assert sqlite.rows("SELECT email, level, points, fee, starts, ends FROM club_members") == [
        ("ada@example.org", "MASTER", 11, "twelve", "soon", 0)
    ]


def test_many_alike_changes_are_as_one(club: Api, sqlite: Backend):
    parts = [part(str(number), "UPDATE", ADA, {"email": f"A{number}@b"}) for number in range(20)]

    assert send(club, *parts)["status"] == "COMMITTED"
    assert sqlite.rows("SELECT email, fee FROM club_members") == [("a19@b", "twelve")]


def test_what_a_part_gives_is_still_judged(club: Api, sqlite: Backend):
    before = sqlite.dump()

    refused = send(club, part("u", "UPDATE", ADA, {"email": "nobody", "points": 101}))

    assert faults(refused) == {"u": [("INVALID_VALUE", "/payload/email"), ("INVALID_VALUE", "/payload/points")]}
    assert "must have an @" in refused["parts"][0]["errors"][0]["message"]
    assert sqlite.dump() == before


def test_an_unreadable_value_that_is_replaced_is_judged_with_all_others(club: Api, sqlite: Backend):
    refused = send(club, part("u", "UPDATE", ADA, {"fee": "1.50", "starts": 5, "ends": 4}))
    assert faults(refused) == {"u": [("INVALID_VALUE", "/payload/ends")]}

    assert send(club, part("u", "UPDATE", ADA, {"fee": "1.50", "starts": 5}))["status"] == "COMMITTED"
    assert sqlite.rows("SELECT starts FROM club_members") == [(5,)]


def test_validators_of_the_whole_do_not_run_without_all_of_it(club: Api, sqlite: Backend):
    assert send(club, part("u", "UPDATE", "/matches/1", {"score": "1:0"}))["status"] == "COMMITTED"
    assert sqlite.rows("SELECT score, version, guest_id FROM club_matches") == [("1:0", 2, "nobody")]

    refused = send(club, part("u", "UPDATE", "/matches/1", {"guestId": 1}))
    assert faults(refused) == {"u": [("INVALID_VALUE", "/payload")]}
    assert "against itself" in refused["parts"][0]["errors"][0]["message"]


def test_a_version_that_cannot_be_read_begins_anew(club: Api, sqlite: Backend):
    for count in (1, 20):
        sqlite.run("UPDATE club_matches SET version = 'x', guest_id = 2")
        parts = [part(str(number), "UPDATE", "/matches/1", {"score": f"{number}:0"}) for number in range(count)]
        assert send(club, *parts)["status"] == "COMMITTED"
        assert sqlite.rows("SELECT version FROM club_matches") == [(count,)]
