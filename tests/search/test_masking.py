from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxlake.search.masking import mask_column, mask_number, mask_text, masked


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+16505550101", "+1650•••••01"),
        ("(650) 555-0101", "6505•••••01"),
        ("+442079460018", "+4420•••••18"),
        # So short that the rest could be guessed.
        ("55501", "•••••"),
        ("911", "•••••"),
        ("anonymous", "anonymous"),
        ("", ""),
    ],
)
def test_a_number(number: str, shown: str) -> None:
    assert mask_number(number) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("+16505550101", "+1650•••••01"),
        ("650-555-0101", "6505•••••01"),
        ("WIRELESS CALLER 6505550101", "WIRELESS CALLER 6505•••••01"),
        ("Ana (650) 555 0101, Ben 6505550102", "Ana 6505•••••01, Ben 6505•••••02"),
        ("Studio 54", "Studio 54"),
        ("Zoë Müller", "Zoë Müller"),
    ],
)
def test_a_number_in_a_name(name: str, shown: str) -> None:
    assert mask_text(name) == shown


@given(st.text(st.sampled_from("0123456789+ -()./x"), max_size=30))
def test_at_least_three_digits_of_a_number_are_hidden(number: str) -> None:
    digits = [character for character in number if character.isdigit()]
    shown = [character for character in mask_number(number) if character.isdigit()]

    assert len(shown) <= max(0, min(6, len(digits) - 3))


@given(st.text(st.sampled_from("0123456789+ -()./xyz"), max_size=60))
def test_no_run_of_seven_digits_is_left_in_a_text(text: str) -> None:
    run = longest = 0
    for character in mask_text(text):
        run = run + 1 if character.isdigit() else run if character in " .()/-" else 0
        longest = max(longest, run)
    assert longest < 7


def test_rows_and_columns_by_their_names() -> None:
    row = {"from_phone_number": "+16505550101", "from_name": None, "to_name": "+16505550102", "id": "16505550101"}

    assert masked(row) == {
        "from_phone_number": "+1650•••••01",
        "from_name": None,
        "to_name": "+1650•••••02",
        "id": "16505550101",
    }
    numbers = pa.array(["+16505550101", None, "+16505550101"])
    assert mask_column("to_phone_number", numbers).to_pylist() == ["+1650•••••01", None, "+1650•••••01"]
    assert mask_column("id", numbers) is numbers
