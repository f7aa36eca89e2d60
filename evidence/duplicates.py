"""Is this reference a publication that is known already? By DOI, PMID, or authors and title."""

import difflib
import heapq
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from evidence.reference import Citation

Rule = Literal["doi", "pmid", "title", "near_title", "venue"]
Certainty = Literal["duplicate", "possible"]

# Measured on the corpus. Morid prints 26 studies and Fourcade one that Kim prints too: the title
# keys of all 27 are equal. Of the 21,321 pairs among the 207 titles none is equal, and the two
# that are nearest, both of one author, have a ratio of 0.82 (Shichijo 2017 and 2019). A ratio of
# 0.9 thus gave no false pair; it is what a dropped word or some misread letters leave. A title
# that differs by "2D" or "Part II" reaches it too, so that it is never more than possible.
NEAR_TITLE = 0.9
#: Title keys that are shorter ("Editorial", "Authors' reply") are shared by different papers;
#: the shortest of the corpus has 44 letters.
SHORT_TITLE = 20
# A near title is looked for among those that begin or end alike: one error leaves one of both.
_END = 12
# And only among so many of them, nearest in length first: lengths of near titles differ by a fifth
# at most. No family name leads more than 9 papers of the corpus; a list of thousands by one author
# would take minutes, each compared with all before it.
_MOST_NEAR = 100

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "\u0131": "i"}
)
_IDENTIFIERS: tuple[Rule, Rule] = ("doi", "pmid")
#: Parts of a name that sources print, move or leave out.
_PARTICLES = frozenset(
    "af al da de del den der di dos du el ii iii jr la le sr ten ter van von".split()
)
_OTHERS = frozenset(("al", "et", "others"))
_FILLERS = frozenset("a an and for in of on the".split())


class Known(Citation):
    """A publication of the store, under its key."""

    key: str


class Match(NamedTuple):
    """What a reference was recognised as.

    Attributes
    ----------
    key : str
        Key of the known publication.
    rule : str
        What agrees: ``doi``, ``pmid``, ``title`` (and authors), ``near_title`` (and first
        author), or ``venue`` (and authors and year, a title missing).
    certainty : str
        ``duplicate``, or ``possible`` where a person has to look.
    """

    key: str
    rule: Rule
    certainty: Certainty


def match(reference: Citation, known: Sequence[Known]) -> Match | None:
    """The surest match of `reference` among a few known publications; `Index` is for many."""
    return Index(known).find(reference)


def title_key(title: str | None) -> str:
    """Letters and digits of a title: no case, accents, punctuation, HTML tags or spaces.

    Spaces go because scanned text has them within words, and sources differ over hyphens
    ("multiclass", "multi-class").
    """
    text = html.unescape(title or "")
    text = re.sub(r"</?[A-Za-z][^<>]*>", "", text).replace("&", " and ")
    return "".join(filter(str.isalnum, _folded(text)))


def family_names(author: str) -> frozenset[str]:
    """Words of the family name: of "Family, Given", "Family GI", "G.I. Family" or "Given Family".

    Particles are left out, since sources print "van Grinsven" also as "Grinsven MJJP Van".
    """
    family, comma, _ = author.partition(",")
    words = family.split()
    if not comma:
        words = _family_words(words)
    text = re.sub(r"[\u02bc\u2019'`]", "", " ".join(words))
    parts = frozenset(re.findall(r"\w+", _folded(text)))
    return parts - _PARTICLES or parts


def _family_words(words: list[str]) -> list[str]:
    full = [word for word in words if not (_is_initials(word) or word.lower() in _PARTICLES)]
    if not full:
        return [max(words, key=len)] if words else []
    # Initials stand before or after a whole family name; between names, only the last is one.
    at_an_end = any(word not in full for word in (words[0], words[-1]))
    return full if at_an_end else full[-1:]


def _is_initials(word: str) -> bool:
    letters = re.sub(r"[.\-\u2010]", "", word)
    return letters.isupper() and len(letters) <= 4


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


_Block = tuple[str, ...]


class _Facts:
    """What is compared of a citation, worked out once."""

    def __init__(self, citation: Citation) -> None:
        self.citation = citation
        self.title = title_key(citation.title)
        names = (family_names(author) for author in citation.authors)
        self.authors = [family for family in names if family - _OTHERS]

    @property
    def leaders(self) -> frozenset[str]:
        """Words of the first author's family name."""
        return self.authors[0] if self.authors else frozenset()

    @property
    def venue(self) -> list[str]:
        """Words of the venue, without numbers and fillers."""
        words = re.findall(r"[^\W\d_]+", _folded(self.citation.venue))
        return [word for word in words if word not in _FILLERS]

    def blocks(self) -> set[_Block]:
        """What citations share that agree by an identifier or the whole title."""
        blocks = {("doi", self.citation.doi), ("pmid", self.citation.pmid), ("title", self.title)}
        return {block for block in blocks if block[-1]}

    def ends(self) -> set[_Block]:
        """What citations share whose titles are near: the first author, and one end."""
        ends = {"start": self.title[:_END], "end": self.title[-_END:]} if self.title else {}
        return {(kind, name, end) for name in self.leaders for kind, end in ends.items()}

    def names(self, kind: str) -> set[_Block]:
        """What citations share of which one has no title: the first author."""
        return {(kind, name) for name in self.leaders}


class Index:
    """Known publications, laid out so that a reference is compared with few of them.

    Parameters
    ----------
    known : iterable of Known
        Of matches that are equally sure and by the same rule, the first in this order counts.
    """

    def __init__(self, known: Iterable[Known]) -> None:
        self._known: list[Known] = []
        self._facts: list[_Facts] = []
        self._numbers: defaultdict[_Block, list[int]] = defaultdict(list)
        for citation in known:
            self.add(citation)

    def add(self, citation: Known) -> None:
        """Take up one more publication."""
        facts = _Facts(citation)
        untitled = set() if facts.title else facts.names("untitled")
        for block in facts.blocks() | facts.ends() | facts.names("any") | untitled:
            self._numbers[block].append(len(self._known))
        self._known.append(citation)
        self._facts.append(facts)

    def find(self, reference: Citation) -> Match | None:
        """The surest match of a reference.

        Parameters
        ----------
        reference : Citation
            A `Reference` or anything else with the fields of a citation.

        Returns
        -------
        Match or None
            A duplicate before a possible one, then DOI before PMID, title, near title and venue.
        """
        facts = _Facts(reference)
        names = facts.names("untitled" if facts.title else "any")
        return self._surest(facts, self._sharing(facts.blocks())) or self._surest(
            facts, self._nearest(facts, facts.ends()) | self._sharing(names)
        )

    def _sharing(self, blocks: set[_Block]) -> set[int]:
        return {number for block in blocks for number in self._numbers.get(block, ())}

    def _nearest(self, facts: _Facts, blocks: set[_Block]) -> set[int]:
        def distance(number: int) -> tuple[int, int]:
            return abs(len(self._facts[number].title) - len(facts.title)), number

        return set(heapq.nsmallest(_MOST_NEAR, self._sharing(blocks), distance))

    def _surest(self, facts: _Facts, numbers: set[int]) -> Match | None:
        verdicts = (
            Match(self._known[number].key, *verdict)
            for number in sorted(numbers)
            if (verdict := _compare(facts, self._facts[number]))
        )
        return min(verdicts, key=_rank, default=None)


def _rank(found: Match) -> tuple[bool, int]:
    return found.certainty == "possible", get_args(Rule).index(found.rule)


def _compare(one: _Facts, other: _Facts) -> tuple[Rule, Certainty] | None:
    """The first rule by which two citations agree, and how sure it is."""
    same = [rule for rule in _IDENTIFIERS if _identifiers(one, other, rule) == "same"]
    conflict = any(_identifiers(one, other, rule) == "different" for rule in _IDENTIFIERS)
    authors = _authors_agree(one, other)
    titles = _titles_agree(one, other)
    if same:
        # A mistyped identifier leads to another paper: no title and no author in common.
        doubt = conflict or (titles == "different" and authors is False)
        return same[0], "possible" if doubt else "duplicate"
    if titles == "missing":
        return None if conflict or not _venues_agree(one, other) else ("venue", "possible")
    if titles == "same":
        return _same_title(one, authors=authors, conflict=conflict)
    # Only titles under one first author are looked up that are not equal.
    return ("near_title", "possible") if titles == "near" and not conflict else None


def _identifiers(one: _Facts, other: _Facts, name: str) -> str:
    values = {getattr(facts.citation, name) for facts in (one, other)}
    if "" in values:
        return "missing"
    return "same" if len(values) == 1 else "different"


def _titles_agree(one: _Facts, other: _Facts) -> str:
    if not (one.title and other.title):
        return "missing"
    if one.title == other.title:
        return "same"
    pair = difflib.SequenceMatcher(None, one.title, other.title, autojunk=False)
    bounds = (pair.real_quick_ratio, pair.quick_ratio, pair.ratio)
    return "near" if all(bound() >= NEAR_TITLE for bound in bounds) else "different"


def _same_title(
    one: _Facts, *, authors: bool | None, conflict: bool
) -> tuple[Rule, Certainty] | None:
    short = len(one.title) < SHORT_TITLE
    if not authors and (short or conflict):
        return None
    return "title", "duplicate" if authors and not (short or conflict) else "possible"


def _authors_agree(one: _Facts, other: _Facts) -> bool | None:
    """The first authors, or any two: lists name as first what is a given name ("Paul HY").

    None where one of the two names nobody.
    """
    if not (one.authors and other.authors):
        return None
    shared = sum(any(name & family for family in other.authors) for name in one.authors)
    return bool(one.leaders & other.leaders) or shared >= 2


def _venues_agree(one: _Facts, other: _Facts) -> bool:
    """First author, every author of the shorter list, venue and year, as far as lists print."""
    few, many = sorted((one.authors, other.authors), key=len)
    years = [facts.citation.year for facts in (one, other) if facts.citation.year]
    return (
        bool(one.leaders & other.leaders)
        and all(any(name & family for family in many) for name in few)
        # Early view: reviews print the year before that of the issue.
        and len(years) == 2
        and abs(years[0] - years[1]) <= 1
        and _abbreviates(one.venue, other.venue)
    )


def _abbreviates(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two venues may be one: "Jpn J Ophthalmol", "Japanese Journal of Ophthalmology"."""
    pairs = [sorted(pair, key=len) for pair in zip(one, other, strict=False)]
    return bool(pairs) and all(
        short[0] == full[0] and _letters_in_order(short, full) for short, full in pairs
    )


def _letters_in_order(short: str, full: str) -> bool:
    letters = iter(full)
    return all(letter in letters for letter in short)
