"""Seeing through how a text is written: what a reader would read, as plain words.

    HTML ── tags out, text joined ──► text ── hidden characters out, look-alikes in ──► readable() ──► words(), skeleton()

`readable` is still a text that an editor recognises, and what findings quote. `words` are its lower-case words. A `skeleton` is a
word as far as it can be told apart once digits stand for letters and letters are doubled: "B0t0xx" and "botox" have the same.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

# Among words: the end of a sentence, the end of a line or block, which may cut one in two, and a colon or dash, which a "no"
# doesn't reach across.
STOP = "."
BREAK = "/"
CUT = ":"
MARKS = frozenset((STOP, BREAK, CUT))

_MERGE_BLOCK = re.compile(r"\*\|\s*(?:IF|IFNOT|ELSEIF|ELSE|END)\b[^|]*\|\*", re.IGNORECASE)
_MERGE_TAG = re.compile(r"\*\|[^|]*\|\*")
# shapes that Unicode's table doesn't take for Latin letters, and people do
_SHAPES = {
    "βßϐъьѣҍ": "b", "д": "a", "λ": "a", "¢": "c", "δԁԃ": "d", "єэԑεξәз": "e", "ғ": "f", "η": "n", "пл": "n", "π": "n", "н": "h",
    "кκ": "k", "м": "m", "ө○◯●θѳφ\u2b55\u26aa\u26ab": "o", "яг": "r", "§": "s", "т†": "t",
    "іι": "i", "иц": "u", "μµ": "u", "ωшщѡ": "w", "жҳ×✕✖❌": "x", "ұүҰ¥": "y",
}  # fmt: skip
_SHAPE = {char: letter for chars, letter in _SHAPES.items() for char in chars}
_EMOJI = {"💉": " injection ", "💊": " pill "}
# a "no" that denies nothing of what comes after it, read as one word with what follows
_NO_DENIAL = (
    r"no[\s-]{1,3}(?:more|waiting|fuss|hassle|problem|worries|worry|bother|wonder|surprise|kidding|joke|doubt)"
    r"|not[\s-]{1,3}(?:only|just)|why[\s-]{1,3}not|(?:can|won|wouldn)['’]?t[\s-]{1,3}(?:face|wait|bear|stand|believe)"
    r"|(?:don['’]?t|do[\s-]{1,3}not)[\s-]{1,3}(?:miss|wait|delay|suffer|worry|let)"
)
_WORD = re.compile(
    rf"(?:{_NO_DENIAL})\b|[a-z0-9]+(?:['’][a-z]+)*|[£%]|[.!?;]+(?=\s|$)|:(?!\d)|(?<!\d)[–—]|[–—](?!\d)|(?<=\s)-+(?=\s)|\n\s*\n"
)
_LETTER_NAME = re.compile(r"^(?:.* )?(?:LATIN|REGIONAL INDICATOR) .*\b([A-Z])(?: WITH .+)?$")
# s k i n n y, b.o.t.o.x, s a m e - d a y: single letters with small gaps
_LETTER_BY_LETTER = re.compile(
    r"(?<![a-z0-9])[a-z0-9](?:(?: ?[^\sa-z0-9]{1,2} ?| )[a-z0-9]){2,}(?![a-z0-9])", re.IGNORECASE
)
_STEMS = {"its": "it", "hes": "he", "yours": "yours", "selfies": "selfie", "afters": "afters", "befores": "befores"}
# 5ml, day90
_MEASURE = re.compile(r"\d+(?:[a-z]{1,3}|mins|secs|hours?|minutes?)|(?:day|week|wk|month|year|client|patient)\d+")
_DOUBLED = re.compile(r"(.)\1+")
_DIGITS = str.maketrans("0123456789@$!|+€", "oizeasgtbgasiite")
_LETTERS = {**_DIGITS, ord("l"): "i"}


class _LookAlikes(dict):
    """For str.translate: what each character looks like, worked out when it is first met.

    Hidden characters and accents go. Look-alikes come from Unicode's own table (UTS 39, confusables.txt) and, for stylised
    letters that it leaves out, from the characters' names.
    """

    def __missing__(self, point: int) -> str | int | None:
        self[point] = seen = point if point < 128 else _look(chr(point))
        return seen


def _look(char: str) -> str | None:
    kind = unicodedata.category(char)
    if kind in ("Mn", "Me", "Cf", "Cn", "Cc", "Co") or char in "\u115f\u1160\u3164\uffa0":
        return "\n" if char == "\x85" else None
    if kind in ("Zs", "Zl", "Zp"):
        return " " if kind == "Zs" else "\n"
    if char in "£€’":
        return char
    if char in _EMOJI:
        return _EMOJI[char]
    if char.lower() in _SHAPE:
        return _SHAPE[char.lower()]
    decomposed = unicodedata.normalize("NFKD", char)
    if decomposed.isascii() and decomposed.isalnum():
        return decomposed
    if plain := _without_marks(char):
        return _look(plain)
    return _named(char) or next((one for other in _confusable(char) if (one := _named(other))), char)


def _without_marks(char: str) -> str | None:
    """The Cyrillic or Greek letter without its descender, hook or stroke: қ is CYRILLIC SMALL LETTER KA WITH DESCENDER."""
    name, marked, _ = unicodedata.name(char, "").partition(" WITH ")
    return unicodedata.lookup(name) if marked and name.startswith(("CYRILLIC", "GREEK")) else None


def _named(char: str) -> str | None:
    """The plain letter or digit that a character is, by itself or by its name: ʙ is LATIN LETTER SMALL CAPITAL B."""
    if char.isascii():
        return char if char.isalnum() else None
    found = _LETTER_NAME.search(unicodedata.name(char, "")) if len(char) == 1 else None
    return found[1].lower() if found else None


def _confusable(char: str) -> list[str]:
    # 0.2 s to load, and only for what is not plain text
    from confusable_homoglyphs.confusables import confusables_data

    return [other["c"] for other in confusables_data.get(char, [])]


_LOOK_ALIKES = _LookAlikes()


def readable(text: str) -> str:
    """`text` as a person reads it, in plain letters: entities resolved, hidden characters and merge tags out, look-alikes in."""
    for _ in range(2):  # what was escaped twice is shown once by some clients
        text = unescape(text)
    text = _MERGE_TAG.sub(" ", _MERGE_BLOCK.sub("\n\n", text))
    if not text.isascii():
        # twice: some look-alikes (ϲ) lose their shape when they are taken apart, others (ﬁ) get theirs
        text = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKES)).translate(_LOOK_ALIKES)
    return _LETTER_BY_LETTER.sub(_run_together, text.replace("\r", "\n"))


def _run_together(spaced: re.Match) -> str:
    letters = re.sub(r"[^a-zA-Z0-9]", "", spaced[0])
    # "10 1 2 3" is a row of numbers, and letters without gaps are a word already
    return letters if sum(char.isalpha() for char in letters) * 2 > len(letters) else spaced[0]


@dataclass(frozen=True)
class Word:
    """A word, STOP, BREAK or CUT. `start` and `end` are its place in the readable text."""

    text: str
    start: int
    end: int


def words(clean: str) -> list[str]:
    """The words of a readable text, lower-case, without their endings, with STOP, BREAK and CUT where they stand."""
    return [_word(found) for found in _WORD.findall(clean.lower())]


def placed_words(clean: str) -> list[Word]:
    """The same words as `words`, each with its place."""
    return [Word(_word(found[0]), found.start(), found.end()) for found in _WORD.finditer(clean.lower())]


@lru_cache(maxsize=500_000)
def _word(found: str) -> str:
    if found[0] in ".!?;":
        return STOP
    if found[0] in ":–—-":
        return CUT
    if found[0] == "\n":
        return BREAK
    found = re.sub(r"[\s-]+", "_", re.sub(r"['’]s$|['’]", "", found))
    digits = sum(char.isdigit() for char in found)
    if 0 < digits < len(found) - digits and not _MEASURE.fullmatch(found):
        found = found.translate(_DIGITS)
    return stem(found)


def stem(word: str) -> str:
    """A word without the ending of its plural: "injections" and "injection", "cures" and "cure" are one."""
    if word.endswith("s") and word[:-1].isdigit():
        return word[:-1]
    if word in _STEMS:
        return _STEMS[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1]


@lru_cache(maxsize=500_000)
def folded(word: str) -> str:
    """What stays of a lower-case word when digits are read as letters, l as i, m as rn and w as vv."""
    return word.translate(_LETTERS).replace("m", "rn").replace("w", "vv")


@lru_cache(maxsize=500_000)
def skeleton(word: str) -> str:
    """A folded word with doubled letters as one."""
    return _DOUBLED.sub(r"\1", folded(_DOUBLED.sub(r"\1", word.translate(_LETTERS))))
