"""Names are one but for their spelling, in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.spelling import same_name, stem


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("BUS-BRA", "bus bra", True),
        ("ISIC 2018", "isic_2018", True),
        ("BUSI", "BUSI2", False),
        ("ISIC 2018", "ISIC2019", False),
        ("乳腺", "眼底", False),
        ("乳腺 A", "乳腺_a", True),
        ("Größe", "GRÖSSE", True),
        ("A+", "A", False),
        ("A+", "A ++", False),
        ("set 1.2", "set 12", False),
        ("...", "---", False),
        ("...", "...", True),
        ("", "-", False),
    ],
)
def test_names_are_one_but_for_case_and_punctuation(first: str, second: str, same: bool) -> None:
    assert same_name(first, second) is same
    assert same_name(second, first) is same


@given(st.text(alphabet="abZ甲é+", min_size=1), st.sampled_from(" _-./"))
def test_separators_between_letters_and_case_never_matter(name: str, separator: str) -> None:
    assert stem(separator.join(name.upper())) == stem(name.upper())
    assert same_name(name, separator + name)


@pytest.mark.parametrize(
    ("first", "second"), [("regnet_y_3_2gf", "regnet_y_32gf"), ("UNet++", "UNet")]
)
def test_other_networks_have_other_stems(first: str, second: str) -> None:
    assert stem(first) != stem(second)
