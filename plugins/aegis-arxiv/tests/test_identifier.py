from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_arxiv.identifier import Identifier, named_in

MONTHS = st.builds("{:02d}{:02d}".format, st.integers(0, 99), st.integers(1, 12))
NEW = st.builds("{}.{}".format, MONTHS, st.from_regex(r"[0-9]{4,5}", fullmatch=True))
ARCHIVES = st.sampled_from(["astro-ph", "math", "quant-ph", "hep-th", "cs", "cond-mat", "math-ph"])
OLD = st.builds("{}/{}{:03d}".format, ARCHIVES, MONTHS, st.integers(0, 999))
IDENTIFIERS = st.builds(Identifier, st.one_of(NEW, OLD), st.integers(0, 9999))
FORMS = [
    "{}",
    " {} ",
    "arXiv:{}",
    "arxiv: {}",
    "http://arxiv.org/abs/{}",
    "https://arxiv.org/pdf/{}",
    "https://www.arxiv.org/pdf/{}.pdf",
    "https://export.arxiv.org/abs/{}?context=cs",
    "arxiv.org/abs/{}",
    "https://arxiv.org/html/{}#S2",
]


@given(IDENTIFIERS, st.sampled_from(FORMS))
def test_every_way_to_write_an_identifier_gives_it_back(identifier: Identifier, form: str):
    assert Identifier.parse(form.format(identifier)) == identifier


@given(IDENTIFIERS)
def test_address_is_read_as_the_identifier(identifier: Identifier):
    assert Identifier.parse(identifier.url) == identifier


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("2104.12255v1", "2104.12255", 1),
        ("0704.0001", "0704.0001", 0),
        ("quant-ph/0201082v1", "quant-ph/0201082", 1),
        ("math.GT/0309136", "math/0309136", 0),
        ("cond-mat.mes-hall/0207270v12", "cond-mat/0207270", 12),
        ("astro-ph/0601001", "astro-ph/0601001", 0),
    ],
)
def test_identifier_of_each_scheme(text: str, name: str, version: int):
    assert Identifier.parse(text) == Identifier(name, version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "0000.0000",
        "1234.12345",  # there is no month 34
        "2104.123",
        "2104.123456",
        "2104.12255v0",
        "2104.12255v1x",
        "2104.12255&start=5",
        "2104.12255,2104.12256",
        "2104.12255 OR 1",
        "../2104.12255",
        "biology/0601001",
        "math/06010011",
        "https://evil.example/abs/2104.12255",
        "https://arxiv.org.evil.example/abs/2104.12255",
        "٢١٠٤.١٢٢٥٥",
        "2104.12255\x00",
    ],
)
def test_what_is_no_identifier_is_refused(text: str):
    with pytest.raises(ValueError, match="no arXiv identifier"):
        Identifier.parse(text)


@given(st.text(max_size=60))
def test_any_text_is_an_identifier_or_refused(text: str):
    try:
        identifier = Identifier.parse(text)
    except ValueError:
        return
    assert Identifier.parse(str(identifier)) == identifier


def test_papers_named_in_running_text():
    text = (
        "As in arXiv:1706.03762v5 and https://arxiv.org/abs/2106.09685, unlike hep-th/9711200 and "
        "math.GT/0309136; pi is 3141.5926, the grant 1234.56789, arXiv:1706.03762 again."
    )
    names = [str(identifier) for identifier in named_in(text)]
    assert names == ["1706.03762", "2106.09685", "hep-th/9711200", "math/0309136"]


def test_a_longer_number_names_no_paper():
    assert named_in("arXiv:1706.037621 and physics/99112001") == ()
