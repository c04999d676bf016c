"""Texts of made-up words in several scripts, the same in every run."""

import random

# For each language its letters or syllables, what separates words, and the marks that end a line.
_PARTS = {
    "Arabic": ("ا ب ت ج د ر س ش ع ف ق ك ل م ن ه و ي", " ", "؟،."),
    "Chinese": (" ".join(chr(0x4E00 + 3 * i) for i in range(900)), "", "，。！"),
    "DNA": ("A C G T", "", ""),
    "French": ("a b c d é è ê l m n o p r s t u", " ", ",.!"),
    "Hebrew": ("א ב ג ד ה ו ז ח ט י כ ל מ נ ס ע פ צ ק ר ש ת", " ", ",.?"),
    "Hindi": ("क का कि की के ख ग घ च ज त द न प ब म य र ल व श स ह", " ", "।,"),
}
LANGUAGES = tuple(_PARTS)


def text_in(language: str, length: int = 6000) -> str:
    """A text of this many characters; Chinese and DNA have neither spaces nor newlines."""
    letters, space, marks = _PARTS[language]
    draw, text = random.Random(0), ""
    while len(text) < length:
        words = ["".join(draw.choices(letters.split(), k=draw.randint(2, 6))) for _ in range(5)]
        end = draw.choice(marks) if marks else ""
        text += space.join(words) + end + ("\n" if space else "")
    return text[:length]
