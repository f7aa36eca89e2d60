"""LaTeX of BibTeX files -> plain text: accents, letters and escapes; all else stays as printed."""

import re
import unicodedata

#: Accent command -> combining character.
_ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "d": "\u0323",
    "c": "\u0327",
    "k": "\u0328",
    "b": "\u0331",
}
#: Command without argument -> text. The `text...` names are what reference managers write.
_COMMANDS = {
    "ss": "ß",
    "o": "ø",
    "O": "Ø",
    "l": "ł",
    "L": "Ł",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "aa": "å",
    "AA": "Å",
    "dh": "ð",
    "DH": "Ð",
    "th": "þ",
    "TH": "Þ",
    "dj": "đ",
    "DJ": "Đ",
    "i": "i",
    "j": "j",
    "ldots": "…",
    "dots": "…",
    "textendash": "–",  # noqa: RUF001  (the dash is meant)
    "textemdash": "—",
    "textquoteleft": "‘",  # noqa: RUF001  (the quotation mark is meant)
    "textquoteright": "’",  # noqa: RUF001  (the quotation mark is meant)
    "textquotedblleft": "“",
    "textquotedblright": "”",
    "textquotesingle": "'",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textbackslash": "\\",
    "textunderscore": "_",
    "textdegree": "°",
    "textregistered": "®",
    "texttrademark": "™",
    "textpm": "±",
    "textmu": "µ",
}
_PLAIN = {"~": " ", "---": "—", "--": "–", "``": "“", "''": "”"}  # noqa: RUF001  (dashes are meant)
_TOKEN = re.compile(
    r"""
    (?P<math>\$[^$]*\$)
  | \\(?:(?P<mark>[`'^~=."])\s*|(?P<letter>[uHrvdckb])(?:\s+|(?=\{)))
      (?:\{\s*\\?(?P<braced>[A-Za-z])\s*\}|\\(?P<dotless>[ij])(?![A-Za-z])|(?P<bare>[A-Za-z]))
  | \\(?P<escaped>[&%$\#_{}])
  | \\(?P<command>[A-Za-z]+)(?:\s+|(?P<argument>\{[^{}]*\}))?
  | (?P<plain>~|---?|``|'')
  | (?P<brace>[{}])
    """,
    re.VERBOSE,
)
#: Commands that change how their argument looks, and nothing else.
_STYLES = frozenset(
    "emph mbox url textit textbf textrm textsc textsf textsl texttt textup textsubscript "
    "textsuperscript".split()
)


def plain_text(latex: str) -> str:
    r"""The text that LaTeX would print, as far as bibliographies need it.

    Parameters
    ----------
    latex : str
        Value of a BibTeX field, such as ``G{\"o}mez \& {CNN}s``.

    Returns
    -------
    str
        ``Gömez & CNNs``. Mathematics and commands that are not known stay as printed, so that
        nothing is lost; only the braces that protect capitals go.
    """
    return _TOKEN.sub(_spoken, latex)


def _spoken(token: re.Match[str]) -> str:
    if accent := token["mark"] or token["letter"]:
        base = token["braced"] or token["dotless"] or token["bare"]
        return unicodedata.normalize("NFC", base + _ACCENTS[accent])
    if token["command"]:
        return _command(token)
    if token["plain"]:
        return _PLAIN[token["plain"]]
    return "" if token["brace"] else token["escaped"] or token[0]


def _command(token: re.Match[str]) -> str:
    name, argument = token["command"], plain_text(token["argument"] or "")
    if name in _COMMANDS:
        return _COMMANDS[name] + argument
    return argument if name in _STYLES else token[0]
