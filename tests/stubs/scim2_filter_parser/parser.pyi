from collections.abc import Iterator

from .ast import Filter
from sly.lex import Token

class SCIMParserError(Exception): ...

class SCIMParser:
    def parse(self, tokens: Iterator[Token]) -> Filter: ...
