from collections.abc import Iterator

from sly.lex import Token

class SCIMLexer:
    tokens: set[str]
    COMP_VALUE: str
    NUMBER: str
    TRUE: str
    FALSE: str
    NULL: str
    index: int
    def tokenize(self, text: str) -> Iterator[Token]: ...
