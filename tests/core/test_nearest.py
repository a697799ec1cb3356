"""What somebody may have meant."""

from __future__ import annotations

from cyto_kedro.core.nearest import choose, did_you_mean, nearest


def test_what_goes_on_from_the_word_comes_before_what_is_like_it() -> None:
    runs = ["20260301T120000Z", "20260302T120000Z", "20260401T120000Z"]
    assert nearest("202604", runs) == ["20260401T120000Z"]
    assert nearest("20260302T12000Z", runs)[0] == "20260302T120000Z"
    assert nearest("", runs) == []


def test_a_hint_names_the_nearest_and_what_there_is() -> None:
    assert choose("bmcr", ["bmrc", "local"]) == (
        "did you mean 'bmrc'? there are: bmrc, local"
    )
    assert choose("x", []) == "there is none"
    assert did_you_mean("zzz", ["bmrc"]) == ""
    many = [f"well_{number}" for number in range(50)]
    assert choose("zzz", many).endswith("well_19 and 30 more")
